-- +goose Up

-- A filed document is never changed or removed, whatever a program tries.
-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps its rows as they were filed', TG_TABLE_NAME;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON document_content
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON document
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
