-- The statements as they were.
CREATE OR REPLACE FUNCTION store_decisions(
    p_tenant text, p_ids uuid[], p_keys bytea[], p_digests bytea[], p_subjects bigint[], p_consents uuid[],
    p_actors uuid[], p_at bigint[], p_outcomes text[], p_answers bytea[], p_receipts bytea[], p_hashes bytea[]
) RETURNS TABLE (key_hash bytea, decision_id uuid, request_digest bytea, answer bytea)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    WITH asked AS (
        SELECT * FROM unnest(p_ids, p_keys, p_digests, p_subjects, p_consents, p_actors, p_at, p_outcomes, p_answers,
                             p_receipts, p_hashes)
            AS u (id, u_key, digest, subject, consent, actor, at, outcome, answer, receipt, hash)
    ), taken AS (
        INSERT INTO decision_key (tenant_id, key_hash, decision_id)
        SELECT p_tenant, a.u_key, a.id FROM asked a ORDER BY a.u_key
        ON CONFLICT DO NOTHING RETURNING decision_id AS id
    )
    INSERT INTO decision (tenant_id, decision_id, key_hash, request_digest, subject_id, consent_id, actor_id,
                          decided_at, outcome, answer, receipt, receipt_hash)
    SELECT p_tenant, a.* FROM asked a JOIN taken USING (id);
    RETURN QUERY
    SELECT k.key_hash, d.decision_id, d.request_digest, d.answer
    FROM decision_key k JOIN decision d USING (tenant_id, decision_id)
    WHERE k.tenant_id = p_tenant AND k.key_hash = ANY (p_keys) AND k.decision_id <> ALL (p_ids);
END
$$;

CREATE OR REPLACE FUNCTION reserve_budgets(
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
        IF EXISTS (SELECT 1 FROM decision_key k WHERE k.tenant_id = p_tenant AND k.key_hash = p_keys[one]) THEN
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

CREATE OR REPLACE FUNCTION read_decisions(
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
        SELECT x.request_digest, x.answer FROM decision_key k
        JOIN decision x ON x.tenant_id = p_tenant AND x.decision_id = k.decision_id AND x.key_hash = k.key_hash
        WHERE k.tenant_id = p_tenant AND k.key_hash = q.key LIMIT 1
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
DROP FUNCTION stored_answer(text, uuid, bytea);
ALTER TABLE decision ADD CONSTRAINT decision_check CHECK (sha256(receipt) = receipt_hash);
ALTER TABLE decision ADD FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id);
ALTER TABLE receipt_unsealed ADD FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id);
ALTER TABLE offer ADD FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id);
