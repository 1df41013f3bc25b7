-- Figures for whoever operates all tenants: counts and ages, never a tenant, an id or a person. Ages in seconds. The owner
-- may be one whom row-level security binds, so that each tenant is looked at in turn.
CREATE FUNCTION operating_figures(p_now bigint) RETURNS TABLE (name text, label text, value double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    before text := coalesce(current_setting('yidai.tenant', true), '');
    each text;
    n bigint;
    unsealed bigint := 0;
    oldest bigint;
    waiting bigint := 0;
    delivered bigint := 0;
    dead bigint := 0;
    due bigint;
    overdue bigint := 0;
    at bigint;
BEGIN
    FOR each IN SELECT t.tenant_id FROM tenant t LOOP
        PERFORM set_config('yidai.tenant', each, true);
        SELECT count(*) INTO n FROM receipt_unsealed u WHERE u.tenant_id = each;
        unsealed := unsealed + n;
        SELECT d.decided_at INTO at FROM decision d
        WHERE d.tenant_id = each AND d.decision_id = (
            SELECT u.decision_id FROM receipt_unsealed u WHERE u.tenant_id = each ORDER BY u.decision_id LIMIT 1);
        oldest := least(oldest, at);
        SELECT waiting + count(*), least(due, min(w.due_at)) INTO waiting, due FROM webhook_delivery w
        WHERE w.tenant_id = each AND w.state = 'waiting';
        SELECT delivered + count(*) FILTER (WHERE w.state = 'delivered'), dead + count(*) FILTER (WHERE w.state = 'dead')
        INTO delivered, dead FROM webhook_delivery w WHERE w.tenant_id = each AND w.state <> 'waiting';
        SELECT overdue + count(*) INTO overdue FROM review_case c
        WHERE c.tenant_id = each AND c.state <> 'decided' AND c.due_at < p_now;
    END LOOP;
    PERFORM set_config('yidai.tenant', before, true);
    RETURN QUERY VALUES
        ('yidai_receipts_unsealed', '', unsealed::double precision),
        ('yidai_receipt_unsealed_seconds', '', greatest(p_now - coalesce(oldest, p_now), 0) / 1e6::double precision),
        ('yidai_webhooks', 'waiting', waiting::double precision),
        ('yidai_webhooks', 'delivered', delivered::double precision),
        ('yidai_webhooks', 'dead', dead::double precision),
        ('yidai_webhook_wait_seconds', '', greatest(p_now - coalesce(due, p_now), 0) / 1e6::double precision),
        ('yidai_cases_overdue', '', overdue::double precision);
    RETURN QUERY SELECT 'yidai_jobs', s.state, (SELECT count(*) FROM job j WHERE j.state = s.state)::double precision
    FROM (VALUES ('waiting'), ('done'), ('dead')) s (state);
    RETURN QUERY SELECT 'yidai_job_wait_seconds', '', greatest(p_now - coalesce(min(j.due_at), p_now), 0) / 1e6::double precision
    FROM job j WHERE j.state = 'waiting';
    RETURN QUERY SELECT 'yidai_records_waiting', '', count(*)::double precision FROM record_tail;
    RETURN QUERY SELECT 'yidai_source_age_seconds', s.dataset, greatest(p_now - s.last_known, 0) / 1e6::double precision
    FROM source_delivery s;
    RETURN QUERY SELECT 'yidai_source_late', s.dataset, (s.last_known + s.allowed < p_now)::integer::double precision
    FROM source_delivery s;
END
$$;
REVOKE ALL ON FUNCTION operating_figures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION operating_figures TO yidai_app;

-- Which migration the schema is at: whoever serves compares it with its own.
CREATE FUNCTION schema_version() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT version_num FROM alembic_version
$$;
REVOKE ALL ON FUNCTION schema_version FROM PUBLIC;
GRANT EXECUTE ON FUNCTION schema_version TO yidai_app;
