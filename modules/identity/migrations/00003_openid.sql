-- +goose Up

-- The keys that tokens are signed with. The private half is encrypted.
CREATE TABLE signing_key (
    id          uuid        PRIMARY KEY,
    private     bytea       NOT NULL,
    data_key_id uuid        NOT NULL REFERENCES data_key,
    public      bytea       NOT NULL,
    -- It is published at once and signs from here on, until the next one does.
    active_from timestamptz NOT NULL
);

-- Requests of relying parties to let somebody sign in.
CREATE TABLE auth_request (
    id             uuid        PRIMARY KEY,
    client_id      text        NOT NULL,
    redirect_uri   text        NOT NULL,
    response_mode  text        NOT NULL,
    scopes         text[]      NOT NULL,
    state          text        NOT NULL,
    nonce          text        NOT NULL,
    code_challenge text        NOT NULL CHECK (code_challenge <> ''),
    prompt         text[]      NOT NULL,
    -- In seconds; -1: the client does not mind how old the sign-in is.
    max_age        bigint      NOT NULL,
    -- Only the browser that began it may go on with it.
    browser_hash   bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    session_id     uuid        REFERENCES session,
    code_hash      bytea       UNIQUE,
    code_made_at   timestamptz,
    code_used_at   timestamptz
);
CREATE INDEX auth_request_created_at ON auth_request (created_at);
CREATE INDEX auth_request_session ON auth_request (session_id);

CREATE TABLE access_token (
    id         uuid        PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES session,
    client_id  text        NOT NULL,
    scopes     text[]      NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX access_token_expires_at ON access_token (expires_at);
CREATE INDEX access_token_session ON access_token (session_id);

-- Each is used once, for another. A used one stays, so that its second use is
-- noticed.
CREATE TABLE refresh_token (
    hash       bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES session,
    client_id  text        NOT NULL,
    scopes     text[]      NOT NULL,
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);
CREATE INDEX refresh_token_issued_at ON refresh_token (issued_at);
