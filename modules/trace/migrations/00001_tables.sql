-- +goose Up

-- Everything here belongs to a role that nobody can sign in as and that the
-- module's own role is not a member of. The module reaches it through the
-- functions at the end only.
CREATE SCHEMA IF NOT EXISTS trace AUTHORIZATION {{owner}};
SET ROLE {{owner}};

-- +goose StatementBegin
DO $$ BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the trace needs a database in UTF8: hashes are made of these bytes';
    END IF;
END $$;
-- +goose StatementEnd

-- The newest entry of each chain. Its row is locked by the transaction that
-- appends, so that a chain has no gaps and no two next entries. A court has
-- several chains, so that its people do not wait for one another.
CREATE TABLE trace.head (
    court text COLLATE "C" NOT NULL CHECK (court ~ '^([A-Z0-9][A-Z0-9-]{0,99})?$'),
    shard smallint         NOT NULL CHECK (shard >= 0),
    seq   bigint           NOT NULL CHECK (seq >= 0),
    hash  bytea            NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (court, shard)
) WITH (fillfactor = 20); -- room for the next versions of a row on its own page

CREATE TABLE trace.entry (
    court         text COLLATE "C" NOT NULL,
    shard         smallint         NOT NULL,
    seq           bigint           NOT NULL CHECK (seq > 0),
    id            uuid             NOT NULL,
    at            timestamptz      NOT NULL,
    person        text COLLATE "C" NOT NULL CHECK (person ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    session       text COLLATE "C" NOT NULL CHECK (session ~ '^[A-Za-z0-9._:-]{0,128}$'),
    role          text COLLATE "C" NOT NULL CHECK (role ~ '^([a-z][a-z0-9-]{0,63})?$'),
    role_court    text COLLATE "C" NOT NULL CHECK (role_court ~ '^([A-Z0-9][A-Z0-9-]{0,99})?$'),
    delegated_for text COLLATE "C" NOT NULL CHECK (delegated_for ~ '^[A-Za-z0-9._:-]{0,128}$'),
    client        text COLLATE "C" NOT NULL CHECK (client ~ '^[0-9A-Fa-f.:]{0,45}$'),
    action        text COLLATE "C" NOT NULL CHECK (action ~ '^[a-z][a-z0-9.-]{0,63}$'),
    outcome       text COLLATE "C" NOT NULL CHECK (outcome IN ('allowed', 'refused')),
    object_kind   text COLLATE "C" NOT NULL CHECK (object_kind ~ '^[a-z][a-z0-9-]{0,63}$'),
    object_id     text COLLATE "C" NOT NULL CHECK (octet_length(object_id) <= 128),
    case_id       uuid,
    reason        text COLLATE "C" NOT NULL CHECK (octet_length(reason) <= 2000),
    details       jsonb            NOT NULL CHECK (jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 8192
        AND NOT jsonb_path_exists(details, '$.* ? (@.type() != "string")')), -- flat
    hash          bytea            NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (court, shard, seq)
);
CREATE INDEX entry_at ON trace.entry (at);
CREATE INDEX entry_person ON trace.entry (person, at);
CREATE INDEX entry_case ON trace.entry (case_id, at) WHERE case_id IS NOT NULL;
CREATE INDEX entry_action ON trace.entry (action, at);
CREATE INDEX entry_refused ON trace.entry (at) WHERE outcome = 'refused';

-- The heads of all chains, put together and signed with a key that the database
-- does not have.
CREATE TABLE trace.anchor (
    number    bigint           PRIMARY KEY CHECK (number > 0),
    at        timestamptz      NOT NULL,
    previous  bytea            NOT NULL CHECK (octet_length(previous) = 32),
    root      bytea            NOT NULL CHECK (octet_length(root) = 32),
    chains    int              NOT NULL CHECK (chains > 0),
    key_id    text COLLATE "C" NOT NULL CHECK (octet_length(key_id) BETWEEN 1 AND 200),
    signature bytea            NOT NULL CHECK (octet_length(signature) BETWEEN 1 AND 1000),
    hash      bytea            NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX anchor_at ON trace.anchor (at);

-- The heads that have moved since the anchor before.
CREATE TABLE trace.anchor_head (
    court  text COLLATE "C" NOT NULL,
    shard  smallint         NOT NULL,
    number bigint           NOT NULL,
    seq    bigint           NOT NULL,
    hash   bytea            NOT NULL,
    PRIMARY KEY (court, shard, number)
);
CREATE INDEX anchor_head_number ON trace.anchor_head (number);

-- How far the trace has been verified, by the pass over what is new (recent) and
-- by the slow one over everything (full). Only a help: a verification does not
-- believe it, and begins with an anchor whose signature it checks.
CREATE TABLE trace.progress (
    pass   text        PRIMARY KEY CHECK (pass IN ('recent', 'full')),
    number bigint      NOT NULL DEFAULT 0,
    hash   bytea       NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000',
    begun  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO trace.progress (pass) VALUES ('recent'), ('full');

-- What is written stays. A superuser can take these triggers away; what the
-- anchors cover is then still found to have changed.
-- +goose StatementBegin
CREATE FUNCTION trace.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the trace can only be appended to: % of trace.% is refused', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
-- +goose StatementEnd
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON trace.entry
    FOR EACH STATEMENT EXECUTE FUNCTION trace.refuse();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON trace.anchor
    FOR EACH STATEMENT EXECUTE FUNCTION trace.refuse();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON trace.anchor_head
    FOR EACH STATEMENT EXECUTE FUNCTION trace.refuse();
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON trace.head
    FOR EACH STATEMENT EXECUTE FUNCTION trace.refuse();
CREATE TRIGGER only_forward BEFORE UPDATE ON trace.head
    FOR EACH ROW WHEN (NEW.court <> OLD.court OR NEW.shard <> OLD.shard OR NEW.seq <= OLD.seq)
    EXECUTE FUNCTION trace.refuse();
-- Also in sessions that leave out ordinary triggers (session_replication_role).
ALTER TABLE trace.entry ENABLE ALWAYS TRIGGER stays;
ALTER TABLE trace.anchor ENABLE ALWAYS TRIGGER stays;
ALTER TABLE trace.anchor_head ENABLE ALWAYS TRIGGER stays;
ALTER TABLE trace.head ENABLE ALWAYS TRIGGER stays;
ALTER TABLE trace.head ENABLE ALWAYS TRIGGER only_forward;
REVOKE UPDATE, DELETE, TRUNCATE ON trace.entry, trace.anchor, trace.anchor_head FROM {{owner}};

RESET ROLE;
