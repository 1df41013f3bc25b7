-- Who shares the subject's cap, as far as it is not the subject alone. What is online is filled again, with it.
ALTER TABLE subject_timeline ADD COLUMN household bigint;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('yidai.tenant', name, true);
        DELETE FROM subject_timeline WHERE tenant_id = name;
    END LOOP;
    PERFORM set_config('yidai.tenant', '', true);
END
$$;

DROP FUNCTION read_decision(text, bytea, text, bytea, uuid, bigint);
-- Everything that one decision reads, in one round trip. Runs as the caller, under row-level security.
CREATE FUNCTION read_decision(
    p_tenant text, p_key bytea, p_kind text, p_number bytea, p_consent uuid, p_now bigint
) RETURNS TABLE (
    stored_digest bytea, stored_answer bytea, subject_id bigint, wrapped_key bytea,
    consent_subject bigint, categories text[], purpose text, valid_from bigint, valid_to bigint,
    withdrawn_at bigint, version bigint, packed bytea, slots text[], digests text[], holder bigint, promised bigint
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    RETURN QUERY
    SELECT d.request_digest, d.answer, s.subject_id, s.wrapped_key,
           c.subject_id, c.categories, c.purpose, c.valid_from, c.valid_to, c.withdrawn_at,
           t.version, t.packed, a.slots, a.digests, coalesce(t.household, s.subject_id), coalesce(b.used, 0)
    FROM (VALUES (1)) one(x)
    LEFT JOIN decision d ON d.tenant_id = p_tenant AND d.key_hash = p_key
    LEFT JOIN LATERAL subject_of(p_kind, p_number) s ON true
    LEFT JOIN consent c ON c.tenant_id = p_tenant AND c.consent_id = p_consent
    LEFT JOIN subject_timeline t ON t.tenant_id = p_tenant AND t.subject_id = s.subject_id
    LEFT JOIN budget b ON b.tenant_id = p_tenant AND b.name = 'household'
        AND b.period = coalesce(t.household, s.subject_id)::text
    CROSS JOIN LATERAL (
        SELECT array_agg(v.slot ORDER BY v.slot) AS slots, array_agg(v.digest ORDER BY v.slot) AS digests
        FROM activation v
        WHERE v.tenant_id = p_tenant AND v.active_from <= p_now AND (v.active_to IS NULL OR v.active_to > p_now)
    ) a;
END
$$;

-- Take all that each decision of a group asks of the budgets, or nothing of it. Decision `place` (from 1) has the key
-- p_keys[place]; reservations name theirs in p_places. Rows are locked in one order, whoever asks, so that nobody waits
-- in a circle; they are held until the decisions are committed. Returns the decisions that took nothing: their key was
-- taken before, or these budgets have too little left.
CREATE FUNCTION reserve_budgets(
    p_tenant text, p_keys bytea[], p_places integer[], p_names text[], p_periods text[], p_amounts bigint[],
    p_mosts bigint[]
) RETURNS TABLE (place integer, lacking text[]) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    one integer;
    short text[];
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    INSERT INTO budget AS b (tenant_id, name, period, used)
    SELECT p_tenant, k.name, k.period, 0
    FROM (SELECT DISTINCT u.name, u.period FROM unnest(p_names, p_periods) AS u (name, period)) k
    ORDER BY k.name COLLATE "C", k.period COLLATE "C"
    ON CONFLICT (tenant_id, name, period) DO UPDATE SET used = b.used;
    FOR one IN 1 .. array_length(p_keys, 1) LOOP
        IF EXISTS (SELECT 1 FROM decision d WHERE d.tenant_id = p_tenant AND d.key_hash = p_keys[one]) THEN
            RETURN QUERY SELECT one, '{}'::text[];
            CONTINUE;
        END IF;
        SELECT array_agg(u.name ORDER BY u.name) INTO short
        FROM unnest(p_places, p_names, p_periods, p_amounts, p_mosts) AS u (place, name, period, amount, most)
        JOIN budget b ON b.tenant_id = p_tenant AND b.name = u.name AND b.period = u.period
        WHERE u.place = one AND b.used + u.amount > u.most;
        IF short IS NOT NULL THEN
            RETURN QUERY SELECT one, short;
            CONTINUE;
        END IF;
        UPDATE budget b SET used = b.used + u.amount
        FROM unnest(p_places, p_names, p_periods, p_amounts) AS u (place, name, period, amount)
        WHERE u.place = one AND b.tenant_id = p_tenant AND b.name = u.name AND b.period = u.period;
    END LOOP;
END
$$;
