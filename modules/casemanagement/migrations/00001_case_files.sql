-- +goose Up

-- The last number given of each sequence. Its row is locked by the transaction
-- that takes a number, so that numbers have no gaps.
CREATE TABLE number_counter (
    kind       text   NOT NULL CHECK (kind IN ('filing', 'registration')),
    court_code text   NOT NULL,
    year       int    NOT NULL,
    last       bigint NOT NULL CHECK (last > 0),
    PRIMARY KEY (kind, court_code, year)
);

CREATE TABLE case_file (
    id                  uuid        PRIMARY KEY,
    court_code          text        NOT NULL,
    case_type           text        NOT NULL,
    title               text        NOT NULL,
    status              text        NOT NULL CHECK (status IN ('FILED', 'REGISTERED')),
    filed_on            date        NOT NULL,
    received_at         timestamptz NOT NULL,
    filing_year         int         NOT NULL,
    filing_seq          bigint      NOT NULL,
    filing_number       text        NOT NULL,
    filing_key          text        NOT NULL,
    registered_at       timestamptz,
    registration_year   int,
    registration_seq    bigint,
    registration_number text,
    registration_key    text,
    search_key          text        NOT NULL,
    CHECK ((status = 'REGISTERED') = (registration_number IS NOT NULL)),
    CHECK (num_nulls(registered_at, registration_year, registration_seq, registration_number, registration_key) IN (0, 5)),
    UNIQUE (court_code, filing_year, filing_seq),
    UNIQUE (court_code, filing_number),
    UNIQUE (court_code, registration_year, registration_seq),
    UNIQUE (court_code, registration_number)
);
CREATE INDEX case_file_newest ON case_file (received_at DESC, id DESC);
CREATE INDEX case_file_newest_of_court ON case_file (court_code, received_at DESC, id DESC);
CREATE INDEX case_file_filing_key ON case_file (filing_key);
CREATE INDEX case_file_registration_key ON case_file (registration_key);

CREATE TABLE party (
    case_id        uuid NOT NULL REFERENCES case_file,
    position       int  NOT NULL,
    role           text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('person', 'organisation')),
    name           text NOT NULL,
    latin_name     text NOT NULL,
    represented_by text NOT NULL,
    PRIMARY KEY (case_id, position)
);

-- Contents apart from what describes them, so that lists never read them.
CREATE TABLE document_content (
    id      uuid  PRIMARY KEY,
    content bytea NOT NULL
);
-- Uncompressed, so that a part can be read without the whole.
ALTER TABLE document_content ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE document (
    id         uuid   PRIMARY KEY REFERENCES document_content,
    case_id    uuid   NOT NULL REFERENCES case_file,
    position   int    NOT NULL,
    name       text   NOT NULL,
    media_type text   NOT NULL,
    size       bigint NOT NULL CHECK (size > 0),
    sha256     bytea  NOT NULL CHECK (octet_length(sha256) = 32),
    UNIQUE (case_id, position)
);

-- The answer to each request that carried an Idempotency-Key.
CREATE TABLE idempotency (
    route        text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    status       int,
    location     text,
    body         bytea,
    PRIMARY KEY (route, key)
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
