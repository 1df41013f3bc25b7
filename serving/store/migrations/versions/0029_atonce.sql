-- Whose records are looked at as they come: borrowers with an open loan, who guarantees for them, and what their views
-- show (firms, places). Who owns the table sees all tenants' rows: a record of one tenant's call is seen by all who lend.
CREATE TABLE watched (
    tenant_id  text NOT NULL REFERENCES tenant,
    subject_id bigint NOT NULL,
    told_at    bigint NOT NULL,
    PRIMARY KEY (tenant_id, subject_id)
);
CREATE INDEX watched_of ON watched (subject_id);

-- Subjects who wait to be looked at, from a moment on: that at which the record that was accepted is known.
CREATE TABLE watch_queue (
    place      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenant,
    subject_id bigint NOT NULL,
    due_at     bigint NOT NULL,
    asked_at   bigint NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    of_book    boolean NOT NULL
);
CREATE INDEX watch_queue_due ON watch_queue (tenant_id, due_at, place);
CREATE INDEX watch_queue_of ON watch_queue (tenant_id, subject_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['watched', 'watch_queue'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, DELETE ON watched TO yidai_app;
GRANT SELECT, DELETE ON watch_queue TO yidai_app;
GRANT UPDATE (due_at, attempts) ON watch_queue TO yidai_app;
GRANT UPDATE (told_at) ON watched TO yidai_app;
CREATE INDEX alert_of_subject ON alert (tenant_id, subject_id) WHERE state <> 'released';
CREATE INDEX loan_account_of ON loan_account (tenant_id, subject_id);

-- Subjects and since when (µs) what came of each is known, in the transaction that keeps it. Whoever is watched waits from
-- then on, once: a row that waits is held until this transaction ends, so that whoever takes it sees what it was asked for;
-- one that a worker holds was read before, so that another is needed. With p_book they are watched from now on.
CREATE FUNCTION ask_watch(p_subjects bigint[], p_due bigint[], p_now bigint, p_book boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF p_book THEN
        INSERT INTO watched (tenant_id, subject_id, told_at)
        SELECT DISTINCT current_setting('yidai.tenant'), u.s, p_now FROM unnest(p_subjects) AS u (s) ORDER BY 2
        ON CONFLICT (tenant_id, subject_id) DO UPDATE SET told_at = greatest(watched.told_at, excluded.told_at);
    END IF;
    WITH asked AS (
        SELECT w.tenant_id, w.subject_id, max(u.due) AS due
        FROM unnest(p_subjects, p_due) AS u (s, due) JOIN watched w ON w.subject_id = u.s
        GROUP BY w.tenant_id, w.subject_id, u.due > p_now
    ), waiting AS (
        SELECT q.place, q.tenant_id, q.subject_id, a.due FROM watch_queue q JOIN asked a USING (tenant_id, subject_id)
        WHERE (q.due_at > p_now) = (a.due > p_now) FOR UPDATE OF q SKIP LOCKED
    ), moved AS (
        UPDATE watch_queue q SET due_at = greatest(q.due_at, w.due), of_book = q.of_book OR p_book
        FROM waiting w WHERE q.place = w.place
    )
    INSERT INTO watch_queue (tenant_id, subject_id, due_at, asked_at, of_book)
    SELECT a.tenant_id, a.subject_id, a.due, p_now, p_book FROM asked a
    WHERE NOT EXISTS (
        SELECT 1 FROM waiting w WHERE w.tenant_id = a.tenant_id AND w.subject_id = a.subject_id
        AND (w.due > p_now) = (a.due > p_now));
    IF EXISTS (SELECT 1 FROM watched w WHERE w.subject_id = ANY (p_subjects)) THEN
        PERFORM pg_notify('yidai_watch', '');
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ask_watch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ask_watch TO yidai_app;

-- Figures of what waits, beside those that there are.
CREATE FUNCTION watch_figures(p_now bigint) RETURNS TABLE (name text, label text, value double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT 'yidai_watch_waiting', '', count(*)::double precision FROM watch_queue
    UNION ALL
    SELECT 'yidai_watch_wait_seconds', '',
           greatest(p_now - coalesce(min(greatest(q.asked_at, q.due_at)), p_now), 0) / 1e6::double precision
    FROM watch_queue q WHERE q.due_at <= p_now
$$;
REVOKE ALL ON FUNCTION watch_figures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION watch_figures TO yidai_app;
