-- +goose Up

-- What administrators do to accounts and roles. What touches a staff role or
-- gives somebody back their account takes two of them; the second one decides.
CREATE TABLE change (
    id              uuid        PRIMARY KEY,
    kind            text        NOT NULL CHECK (kind IN ('grant', 'end-grant', 'recover', 'disable', 'enable')),
    person_id       uuid        NOT NULL REFERENCES person,
    -- Of a role that is given.
    role            text        NOT NULL,
    court           text        NOT NULL,
    until           timestamptz,
    acting_for      uuid        REFERENCES person,
    -- Of a role that is taken.
    grant_id        uuid        REFERENCES role_grant,
    reason          text        NOT NULL CHECK (reason <> ''),
    proposed_by     uuid        NOT NULL REFERENCES person,
    proposed_at     timestamptz NOT NULL,
    decided_by      uuid        REFERENCES person,
    decided_at      timestamptz,
    outcome         text        NOT NULL CHECK (outcome IN ('waiting', 'approved', 'refused')),
    -- No second administrator was needed.
    alone           boolean     NOT NULL,
    -- The first half of a recovery's one-time credential, until it is decided.
    first_half      bytea,
    first_half_key  uuid        REFERENCES data_key,
    CHECK ((outcome = 'waiting') = (decided_by IS NULL)),
    CHECK (num_nulls(decided_by, decided_at) IN (0, 2)),
    CHECK (num_nulls(first_half, first_half_key) IN (0, 2)),
    -- Whatever a program does: two people, and neither is the one it is about.
    CHECK (outcome <> 'approved' OR alone = (decided_by = proposed_by)),
    CHECK (proposed_by <> person_id AND (outcome <> 'approved' OR decided_by <> person_id)),
    CHECK (kind <> 'recover' OR NOT alone)
);
CREATE INDEX change_waiting ON change (proposed_at) WHERE outcome = 'waiting';
CREATE INDEX change_person ON change (person_id, proposed_at);
CREATE UNIQUE INDEX change_one_recovery ON change (person_id) WHERE outcome = 'waiting' AND kind = 'recover';

CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_once_decided BEFORE UPDATE ON change
    FOR EACH ROW WHEN (OLD.outcome <> 'waiting') EXECUTE FUNCTION refuse_change();
