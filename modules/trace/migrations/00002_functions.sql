-- +goose Up

-- What the module may do. Everything else is refused.
SET ROLE {{owner}};

-- Locks one chain of a court until the transaction ends: one that is free, else
-- it waits for one by chance. Only append calls it, so it has append's search_path:
-- setting it again with each call would only take time.
-- +goose StatementBegin
CREATE FUNCTION trace.take_head(of_court text) RETURNS trace.head LANGUAGE plpgsql AS $$
DECLARE
    shards CONSTANT int := 8;
    any_shard CONSTANT int := floor(random() * shards);
    taken trace.head;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT * INTO taken FROM trace.head WHERE court = of_court ORDER BY shard LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF FOUND THEN RETURN taken; END IF;
        SELECT * INTO taken FROM trace.head WHERE court = of_court AND shard = any_shard::smallint FOR UPDATE;
        IF FOUND THEN RETURN taken; END IF;
        INSERT INTO trace.head SELECT of_court, n, 0, decode(repeat('00', 32), 'hex')
            FROM generate_series(0, shards - 1) AS n ON CONFLICT DO NOTHING;
    END LOOP;
    RAISE EXCEPTION 'no chain of the court could be locked' USING ERRCODE = 'lock_not_available';
END $$;
-- +goose StatementEnd

-- Appends entries, in the order of their courts (Append sorts them), so that no two
-- transactions wait for each other. The hash is made here and not by the module,
-- so that the module cannot write a wrong one. docs/trace.md describes what is
-- hashed; modules/trace/chain makes the same to verify it.
-- +goose StatementBegin
CREATE FUNCTION trace.append(entries jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e jsonb;
    h trace.head;
BEGIN
    IF jsonb_array_length(entries) NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'one to a thousand entries are appended at once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR i IN 0 .. jsonb_array_length(entries) - 1 LOOP
        e := entries->i;
        IF coalesce(e->>'court', '') IS DISTINCT FROM h.court THEN
            IF i > 0 THEN
                UPDATE trace.head SET seq = h.seq, hash = h.hash WHERE court = h.court AND shard = h.shard;
            END IF;
            h := trace.take_head(coalesce(e->>'court', ''));
        END IF;
        h.seq := h.seq + 1;
        -- One statement for all of an entry: each costs more than what it does.
        INSERT INTO trace.entry
            SELECT h.court, h.shard, h.seq, r.id, r.at, r.person, r.session, r.role, r.role_court, r.delegated_for, r.client,
                r.action, r.outcome, r.object_kind, r.object_id, r.case_id::uuid, r.reason, r.details,
                sha256(convert_to(concat('21:ejustice-trace-link-1,64:', encode(h.hash, 'hex'), ',',
                    octet_length(h.court), ':', h.court, ',', octet_length(h.shard::text), ':', h.shard, ',',
                    octet_length(h.seq::text), ':', h.seq, ',27:', to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    ',64:', encode(sha256(convert_to(concat('22:ejustice-trace-entry-1,36:', r.id, ',',
                        octet_length(r.person), ':', r.person, ',', octet_length(r.session), ':', r.session, ',',
                        octet_length(r.role), ':', r.role, ',', octet_length(r.role_court), ':', r.role_court, ',',
                        octet_length(r.delegated_for), ':', r.delegated_for, ',', octet_length(r.client), ':', r.client, ',',
                        octet_length(r.action), ':', r.action, ',', octet_length(r.outcome), ':', r.outcome, ',',
                        octet_length(r.object_kind), ':', r.object_kind, ',', octet_length(r.object_id), ':', r.object_id, ',',
                        coalesce(octet_length(r.case_id), 0), ':', r.case_id, ',', octet_length(r.reason), ':', r.reason, ',',
                        octet_length(r.pairs), ':', r.pairs, ','), 'UTF8')), 'hex'), ','), 'UTF8'))
            FROM (SELECT gen_random_uuid() AS id, clock_timestamp() AS at, coalesce(e->>'person', '') AS person,
                coalesce(e->>'session', '') AS session, coalesce(e->>'role', '') AS role, coalesce(e->>'roleCourt', '') AS role_court,
                coalesce(e->>'for', '') AS delegated_for, coalesce(e->>'from', '') AS client, coalesce(e->>'action', '') AS action,
                coalesce(e->>'outcome', '') AS outcome, coalesce(e->>'objectKind', '') AS object_kind,
                coalesce(e->>'objectId', '') AS object_id, nullif(e->>'case', '')::uuid::text AS case_id,
                coalesce(e->>'reason', '') AS reason, coalesce(e->'details', '{}') AS details,
                CASE WHEN coalesce(e->'details', '{}') = '{}' THEN '' ELSE (
                    SELECT string_agg(concat(octet_length(key), ':', key, ',', octet_length(value), ':', value, ','), '' ORDER BY key COLLATE "C")
                    FROM jsonb_each_text(e->'details')) END AS pairs
                OFFSET 0) r -- so that each is computed once
            RETURNING hash INTO h.hash;
    END LOOP;
    UPDATE trace.head SET seq = h.seq, hash = h.hash WHERE court = h.court AND shard = h.shard;
END $$;
-- +goose StatementEnd

-- Appends an anchor that follows the newest. The heads must be of entries that
-- are there; the signature is checked by whoever verifies.
-- +goose StatementBegin
CREATE FUNCTION trace.append_anchor(a jsonb, signature bytea) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    newest trace.anchor;
    this trace.anchor;
    moved bigint;
BEGIN
    SELECT * INTO newest FROM trace.anchor ORDER BY number DESC LIMIT 1;
    this.number := a->>'number';
    this.at := a->>'at';
    this.previous := decode(a->>'previous', 'hex');
    this.root := decode(a->>'root', 'hex');
    this.chains := a->>'chains';
    IF this.number <> coalesce(newest.number, 0) + 1 OR this.previous <> coalesce(newest.hash, decode(repeat('00', 32), 'hex')) THEN
        RAISE EXCEPTION 'another anchor was made meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    this.hash := sha256(convert_to(concat('23:ejustice-trace-anchor-1,', octet_length(this.number::text), ':', this.number, ',27:',
        to_char(this.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ',64:', encode(this.previous, 'hex'), ',64:',
        encode(this.root, 'hex'), ',', octet_length(this.chains::text), ':', this.chains, ','), 'UTF8'));
    INSERT INTO trace.anchor VALUES (this.number, this.at, this.previous, this.root, this.chains, a->>'keyId', signature, this.hash);
    INSERT INTO trace.anchor_head (court, shard, number, seq, hash)
        SELECT h.court, h.shard, this.number, h.seq, decode(h.hash, 'hex')
        FROM jsonb_to_recordset(a->'heads') AS h (court text, shard smallint, seq bigint, hash text)
        JOIN trace.entry e ON e.court = h.court AND e.shard = h.shard AND e.seq = h.seq AND e.hash = decode(h.hash, 'hex');
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved = 0 OR moved <> jsonb_array_length(a->'heads') THEN
        RAISE EXCEPTION 'an anchor covers entries that are there' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;
-- +goose StatementEnd

-- Reading, for the module. Who may see what is decided by the module.
-- +goose StatementBegin
CREATE FUNCTION trace.chains(OUT court text, OUT shard smallint, OUT seq bigint, OUT hash bytea, OUT last bigint)
    RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.court, h.shard, h.seq, h.hash, coalesce((SELECT max(e.seq) FROM trace.entry e WHERE e.court = h.court AND e.shard = h.shard), 0)
    FROM trace.head h ORDER BY h.court, h.shard
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION trace.links(of_court text, of_shard int, after bigint, through bigint, size int)
    RETURNS SETOF trace.entry LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM trace.entry WHERE court = of_court AND shard = of_shard::smallint AND seq > after AND seq <= through ORDER BY seq LIMIT size
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION trace.anchors(after bigint, size int)
    RETURNS SETOF trace.anchor LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM trace.anchor WHERE number > after ORDER BY number LIMIT size
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION trace.anchor_heads(after bigint, through bigint)
    RETURNS SETOF trace.anchor_head LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM trace.anchor_head WHERE number > after AND number <= through ORDER BY number, court, shard
$$;
-- +goose StatementEnd
-- The newest head that an anchor up to a number knows, of each chain.
-- +goose StatementBegin
CREATE FUNCTION trace.heads_as_of(up_to bigint)
    RETURNS SETOF trace.anchor_head LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE chain AS ( -- each once, from one entry of the index to the next
        (SELECT court, shard FROM trace.anchor_head ORDER BY court, shard LIMIT 1)
        UNION ALL
        SELECT following.* FROM chain c CROSS JOIN LATERAL (
            SELECT a.court, a.shard FROM trace.anchor_head a WHERE (a.court, a.shard) > (c.court, c.shard)
            ORDER BY a.court, a.shard LIMIT 1) following
    )
    SELECT newest.* FROM chain c CROSS JOIN LATERAL (
        SELECT * FROM trace.anchor_head a WHERE a.court = c.court AND a.shard = c.shard AND a.number <= up_to
        ORDER BY a.number DESC LIMIT 1) newest
$$;
-- +goose StatementEnd
-- The newest anchor; 0 if there is none.
-- +goose StatementBegin
CREATE FUNCTION trace.newest_anchor()
    RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(number), 0) FROM trace.anchor
$$;
-- +goose StatementEnd
-- The last anchor before a moment, or the first from it on; 0 if there is none.
-- +goose StatementBegin
CREATE FUNCTION trace.anchor_near(moment timestamptz, before boolean)
    RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(CASE WHEN before THEN (SELECT number FROM trace.anchor WHERE at < moment ORDER BY at DESC LIMIT 1)
        ELSE (SELECT number FROM trace.anchor WHERE at >= moment ORDER BY at LIMIT 1) END, 0)
$$;
-- +goose StatementEnd
-- Where the entries of a case are.
-- +goose StatementBegin
CREATE FUNCTION trace.chains_of_case(of_case uuid, OUT court text, OUT shard smallint, OUT first timestamptz, OUT last timestamptz)
    RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.court, e.shard, min(e.at), max(e.at) FROM trace.entry e WHERE e.case_id = of_case GROUP BY e.court, e.shard
$$;
-- +goose StatementEnd
-- Entries, newest first. The statement is made of the conditions that are asked
-- for only, so that it is planned for them; values never enter its text.
-- +goose StatementBegin
CREATE FUNCTION trace.find(f jsonb, size int)
    RETURNS SETOF trace.entry LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text := 'SELECT * FROM trace.entry WHERE true';
BEGIN
    IF f ? 'person' THEN statement := statement || ' AND person = ($1->>''person'')'; END IF;
    IF f ? 'case' THEN statement := statement || ' AND case_id = ($1->>''case'')::uuid'; END IF;
    IF f ? 'courts' THEN statement := statement || ' AND court = ANY (ARRAY(SELECT jsonb_array_elements_text($1->''courts'')))'; END IF;
    IF f ? 'action' THEN statement := statement || ' AND action = ($1->>''action'')'; END IF;
    IF f->>'outcome' = 'refused' THEN statement := statement || ' AND outcome = ''refused'''; END IF;
    IF f->>'outcome' = 'allowed' THEN statement := statement || ' AND outcome = ''allowed'''; END IF;
    IF f ? 'from' THEN statement := statement || ' AND at >= ($1->>''from'')::timestamptz'; END IF;
    IF f ? 'to' THEN statement := statement || ' AND at < ($1->>''to'')::timestamptz'; END IF;
    IF f ? 'at' THEN statement := statement || ' AND (at, id) < (($1->>''at'')::timestamptz, ($1->>''id'')::uuid)'; END IF;
    RETURN QUERY EXECUTE statement || ' ORDER BY at DESC, id DESC LIMIT $2' USING f, size;
END $$;
-- +goose StatementEnd
-- Gives a pass to one replica at a time: false if another has begun it within
-- the pause.
-- +goose StatementBegin
CREATE FUNCTION trace.begin_pass(of_pass text, pause interval, OUT begun boolean, OUT number bigint, OUT hash bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE trace.progress p SET begun = clock_timestamp() WHERE p.pass = of_pass AND p.begun <= clock_timestamp() - pause
        RETURNING p.number, p.hash INTO number, hash;
    begun := FOUND;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION trace.end_pass(of_pass text, at_number bigint, at_hash bytea)
    RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE trace.progress SET number = at_number, hash = at_hash WHERE pass = of_pass
$$;
-- +goose StatementEnd

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA trace FROM PUBLIC;
REVOKE ALL ON SCHEMA trace FROM PUBLIC;
GRANT USAGE ON SCHEMA trace TO {{module}};
GRANT EXECUTE ON FUNCTION trace.append(jsonb), trace.append_anchor(jsonb, bytea), trace.chains(), trace.links(text, int, bigint, bigint, int),
    trace.anchors(bigint, int), trace.anchor_heads(bigint, bigint), trace.heads_as_of(bigint), trace.newest_anchor(), trace.anchor_near(timestamptz, boolean),
    trace.chains_of_case(uuid), trace.find(jsonb, int), trace.begin_pass(text, interval), trace.end_pass(text, bigint, bytea) TO {{module}};

RESET ROLE;
