-- +goose Up

-- Sessions of people with this provider. Its id is the "sid" of all tokens that
-- come of it.
CREATE TABLE session (
    id            uuid        PRIMARY KEY,
    person_id     uuid        NOT NULL REFERENCES person,
    -- Digests of the two cookies that belong to it.
    secret_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    browser_hash  bytea       NOT NULL CHECK (octet_length(browser_hash) = 32),
    -- How the person proved who they are, as in RFC 8176.
    amr           text[]      NOT NULL,
    -- The kind of browser, one of few names, for the list of one's sessions.
    agent         text        NOT NULL,
    started_at    timestamptz NOT NULL,
    -- Null until every step of the sign-in is done.
    signed_in_at  timestamptz,
    seen_at       timestamptz NOT NULL,
    ended_at      timestamptz,
    -- A second factor that is being set up.
    enrol_secret  bytea,
    enrol_key_id  uuid        REFERENCES data_key,
    CHECK ((enrol_secret IS NULL) = (enrol_key_id IS NULL))
);
CREATE INDEX session_person ON session (person_id);
CREATE INDEX session_seen_at ON session (seen_at);

-- Sessions that were ended before their time, in the order in which that became
-- visible: relying parties follow it.
CREATE TABLE session_end (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid        NOT NULL,
    ended_at   timestamptz NOT NULL
);
CREATE INDEX session_end_ended_at ON session_end (ended_at);
