DROP FUNCTION read_decisions(text, text, bytea[], bytea[], uuid[], bigint[], bigint);
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
