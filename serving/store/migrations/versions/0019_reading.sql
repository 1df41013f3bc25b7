DROP FUNCTION read_decision(text, bytea, text, bytea, uuid, bigint);
-- Everything that decisions made together read, in one round trip and in their order. Runs as the caller, under
-- row-level security. Each lookup is a subquery of one row under a generic plan: nothing is planned anew, and no
-- table is ever read whole, however many applications there are.
CREATE FUNCTION read_decisions(
    p_tenant text, p_kind text, p_keys bytea[], p_numbers bytea[], p_consents uuid[], p_nows bigint[],
    p_seen bigint
) RETURNS TABLE (
    stored_digest bytea, stored_answer bytea, subject_id bigint, wrapped_key bytea,
    consent_subject bigint, categories text[], purpose text, valid_from bigint, valid_to bigint,
    withdrawn_at bigint, version bigint, packed bytea, slots text[], digests text[], holder bigint, promised bigint,
    late text[], poor text[], stops text
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    r_late text[];
    r_poor text[];
    r_stops text;
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    r_late := (SELECT array_agg(dataset) FROM source_delivery WHERE last_known + allowed < p_seen);
    r_poor := (SELECT array_agg(dataset || ':' || score) FROM source_poor);
    r_stops := (SELECT jsonb_object_agg(concat_ws(':', kind, nullif(name, '')), reason)::text FROM approval_stop
                WHERE ended_at IS NULL);
    RETURN QUERY
    SELECT d.request_digest, d.answer, s.subject_id, s.wrapped_key,
           c.subject_id, c.categories, c.purpose, c.valid_from, c.valid_to, c.withdrawn_at,
           t.version, t.packed, a.slots, a.digests, coalesce(t.household, s.subject_id), coalesce(b.used, 0),
           r_late, r_poor, r_stops
    FROM unnest(p_keys, p_numbers, p_consents, p_nows) WITH ORDINALITY q (key, number, consent, now, place)
    LEFT JOIN LATERAL (
        SELECT x.request_digest, x.answer FROM decision x
        WHERE x.tenant_id = p_tenant AND x.key_hash = q.key LIMIT 1
    ) d ON true
    LEFT JOIN LATERAL subject_of(p_kind, q.number) s ON true
    LEFT JOIN LATERAL (
        SELECT x.* FROM consent x WHERE x.tenant_id = p_tenant AND x.consent_id = q.consent LIMIT 1
    ) c ON true
    LEFT JOIN LATERAL (
        SELECT x.version, x.packed, x.household FROM subject_timeline x
        WHERE x.tenant_id = p_tenant AND x.subject_id = s.subject_id LIMIT 1
    ) t ON true
    LEFT JOIN LATERAL (
        SELECT x.used FROM budget x
        WHERE x.tenant_id = p_tenant AND x.name = 'household'
            AND x.period = coalesce(t.household, s.subject_id)::text
        LIMIT 1
    ) b ON true
    CROSS JOIN LATERAL (
        SELECT array_agg(v.slot ORDER BY v.slot) AS slots, array_agg(v.digest ORDER BY v.slot) AS digests
        FROM activation v
        WHERE v.tenant_id = p_tenant AND v.active_from <= q.now AND (v.active_to IS NULL OR v.active_to > q.now)
    ) a
    ORDER BY q.place;
END
$$;
