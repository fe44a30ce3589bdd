-- Who asks, from the setting that the transaction made; null when it made none,
-- and then nothing may be done.
CREATE OR REPLACE FUNCTION rights_actor() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('ejustice.actor', true), '')::jsonb;

-- The stricter of two sealing levels; null, which opens nothing, when one is none.
CREATE OR REPLACE FUNCTION rights_stricter(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN a NOT IN ('public', 'parties', 'restricted', 'sealed') OR b NOT IN ('public', 'parties', 'restricted', 'sealed') THEN NULL
    WHEN 'sealed' IN (a, b) THEN 'sealed'
    WHEN 'restricted' IN (a, b) THEN 'restricted'
    WHEN 'parties' IN (a, b) THEN 'parties'
    WHEN a = b THEN a
END;
