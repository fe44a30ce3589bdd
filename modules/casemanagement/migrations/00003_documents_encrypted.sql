-- +goose Up

-- The keys that documents are encrypted with, each wrapped by a key that never
-- leaves Vault. Unwrapped they are in the memory of the module only.
CREATE TABLE data_key (
    id          uuid        PRIMARY KEY,
    wrapped     text        NOT NULL,
    key_version int         NOT NULL CHECK (key_version > 0),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX data_key_newest ON data_key (created_at DESC);
CREATE INDEX data_key_version ON data_key (key_version, id);

-- The key that content is encrypted with; null where it was filed before.
ALTER TABLE document_content ADD COLUMN key_id uuid REFERENCES data_key;
CREATE INDEX document_content_plain ON document_content (id) WHERE key_id IS NULL;

-- The one change a filed document may undergo: from plain to encrypted.
DROP TRIGGER stays ON document_content;
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON document_content
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_unless_encrypted BEFORE UPDATE ON document_content
    FOR EACH ROW WHEN (NOT (OLD.key_id IS NULL AND NEW.key_id IS NOT NULL AND NEW.id = OLD.id))
    EXECUTE FUNCTION refuse_change();

-- Without its key a document is lost: a key may only be wrapped anew.
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON data_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_unless_rewrapped BEFORE UPDATE ON data_key
    FOR EACH ROW WHEN (NEW.id <> OLD.id OR NEW.created_at <> OLD.created_at OR NEW.key_version < OLD.key_version)
    EXECUTE FUNCTION refuse_change();
