-- What the running module may do. It owns no table, so that it can neither
-- change one nor take away what protects its rows.
GRANT SELECT, INSERT, UPDATE ON data_key, person, role_grant, change TO {runtime};
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_code, throttle, passkey, session, auth_request, refresh_token TO {runtime};
GRANT SELECT, INSERT, DELETE ON session_end, access_token, signing_key TO {runtime};
