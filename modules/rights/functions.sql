-- Who asks, from the setting that the transaction made; null when it made none.
CREATE OR REPLACE FUNCTION rights_actor() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('ejustice.actor', true), '')::jsonb;

CREATE OR REPLACE FUNCTION rights_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN (rights_actor() ->> 'person')::uuid;

-- The courts for which one of the roles is held, by the actor (null) or by an
-- absent person for whom the actor stands in.
CREATE OR REPLACE FUNCTION rights_courts(whose uuid, VARIADIC roles text[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT array_agg(g ->> 'court') FROM jsonb_array_elements(rights_actor() -> 'grants') g
    WHERE g ->> 'role' = ANY (roles) AND g ->> 'court' <> '' AND (g ->> 'for')::uuid IS NOT DISTINCT FROM whose);

CREATE OR REPLACE FUNCTION rights_everywhere(whose uuid, VARIADIC roles text[]) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT 1 FROM jsonb_array_elements(rights_actor() -> 'grants') g
    WHERE g ->> 'role' = ANY (roles) AND g ->> 'court' = '' AND (g ->> 'for')::uuid IS NOT DISTINCT FROM whose);

-- Whether one of the roles is held at all.
CREATE OR REPLACE FUNCTION rights_holds(VARIADIC roles text[]) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT 1 FROM jsonb_array_elements(rights_actor() -> 'grants') g WHERE g ->> 'role' = ANY (roles));

CREATE OR REPLACE FUNCTION rights_stands_in() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT 1 FROM jsonb_array_elements(rights_actor() -> 'grants') g WHERE g ? 'for');

CREATE OR REPLACE FUNCTION rights_absent() RETURNS SETOF uuid LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT (g ->> 'for')::uuid FROM jsonb_array_elements(rights_actor() -> 'grants') g WHERE g ? 'for';
END;

-- The cases for which a reason was given ('reasons') or an order is cited ('orders').
CREATE OR REPLACE FUNCTION rights_cases(which text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT array_agg(c::uuid) FROM jsonb_array_elements_text(rights_actor() -> which) c);

-- The stricter of two sealing levels; null, which opens nothing, when one is none.
CREATE OR REPLACE FUNCTION rights_stricter(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN a NOT IN ('public', 'parties', 'restricted', 'sealed') OR b NOT IN ('public', 'parties', 'restricted', 'sealed') THEN NULL
    WHEN 'sealed' IN (a, b) THEN 'sealed'
    WHEN 'restricted' IN (a, b) THEN 'restricted'
    WHEN 'parties' IN (a, b) THEN 'parties'
    WHEN a = b THEN a
END;
