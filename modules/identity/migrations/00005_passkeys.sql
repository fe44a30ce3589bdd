-- +goose Up

-- Passkeys: a second factor beside the codes, for browsers that can.
CREATE TABLE passkey (
    id         bytea       PRIMARY KEY,
    person_id  uuid        NOT NULL REFERENCES person,
    -- The credential record of Web Authentication. It holds public keys only.
    record     jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX passkey_person ON passkey (person_id);

-- What the browser was asked, for the one answer to it.
ALTER TABLE session ADD COLUMN ceremony jsonb;
