-- What the running module may do. It owns no table, so that it can neither
-- change one nor take away what protects its rows.
GRANT SELECT, INSERT, UPDATE (last) ON number_counter TO {runtime};
GRANT SELECT, INSERT, UPDATE (status, registered_at, registration_year, registration_seq, registration_number, registration_key)
    ON case_file TO {runtime};
GRANT SELECT, INSERT ON party, document TO {runtime};
-- For what was filed before documents were encrypted, and for newer keys.
GRANT SELECT, INSERT, UPDATE (content, key_id) ON document_content TO {runtime};
GRANT SELECT, INSERT, UPDATE (wrapped, key_version) ON data_key TO {runtime};
GRANT SELECT, INSERT, UPDATE (status, location, body), DELETE ON idempotency TO {runtime};
