-- +goose Up

-- The keys that secrets are encrypted with, each wrapped by a key that never
-- leaves Vault.
CREATE TABLE data_key (
    id          uuid        PRIMARY KEY,
    wrapped     text        NOT NULL,
    key_version int         NOT NULL CHECK (key_version > 0),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX data_key_newest ON data_key (created_at DESC);
CREATE INDEX data_key_version ON data_key (key_version, id);

-- People. A login name is stored as cleanLogin writes it.
CREATE TABLE person (
    id             uuid        PRIMARY KEY,
    login          text        NOT NULL UNIQUE,
    name           text        NOT NULL,
    status         text        NOT NULL CHECK (status IN ('active', 'disabled')),
    -- The court whose administrator looks after the account; empty: the tenant.
    home_court     text        NOT NULL,
    created_at     timestamptz NOT NULL,
    password_hash  text        NOT NULL,
    -- Set while the password is a one-time credential: it ends at this moment and
    -- is replaced at its first use.
    one_time_until timestamptz,
    totp_secret    bytea,
    totp_key_id    uuid        REFERENCES data_key,
    -- The last time step of which a code was used: no code counts twice.
    totp_last_step bigint      NOT NULL DEFAULT 0,
    CHECK ((totp_secret IS NULL) = (totp_key_id IS NULL))
);

CREATE TABLE recovery_code (
    person_id uuid  NOT NULL REFERENCES person,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
    used_at   timestamptz,
    PRIMARY KEY (person_id, hash)
);

-- Roles. A row is never removed: it says who held what, when.
CREATE TABLE role_grant (
    id         uuid        PRIMARY KEY,
    person_id  uuid        NOT NULL REFERENCES person,
    role       text        NOT NULL CHECK (role IN ('registrar', 'clerk', 'judge', 'prosecutor', 'lawyer', 'party',
                   'auditor', 'court-administrator', 'tenant-administrator')),
    court      text        NOT NULL,
    until      timestamptz,
    acting_for uuid        REFERENCES person,
    granted_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CHECK (acting_for IS NULL OR (until IS NOT NULL AND acting_for <> person_id)),
    CHECK (role <> 'tenant-administrator' OR court = ''),
    CHECK (role <> 'court-administrator' OR court <> '')
);
CREATE INDEX role_grant_person ON role_grant (person_id);
CREATE INDEX role_grant_court ON role_grant (court);

-- Attempts to sign in, by the digest of whom is counted.
CREATE TABLE throttle (
    key           bytea            PRIMARY KEY,
    attempts      double precision NOT NULL,
    last_at       timestamptz      NOT NULL,
    blocked_until timestamptz      NOT NULL
);
CREATE INDEX throttle_last_at ON throttle (last_at);

-- A role that was held is not forgotten, whatever a program tries.
-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps its rows', TG_TABLE_NAME;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON role_grant
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_unless_ended BEFORE UPDATE ON role_grant
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR NEW.id <> OLD.id OR NEW.person_id <> OLD.person_id
        OR NEW.role <> OLD.role OR NEW.court <> OLD.court OR NEW.until IS DISTINCT FROM OLD.until
        OR NEW.acting_for IS DISTINCT FROM OLD.acting_for OR NEW.granted_at <> OLD.granted_at)
    EXECUTE FUNCTION refuse_change();
-- Without its key a secret is lost.
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON data_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
