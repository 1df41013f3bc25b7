DROP TRIGGER hold ON offer;
DROP FUNCTION keep_hold();
ALTER TABLE offer DROP COLUMN alert_hold;
DROP FUNCTION alert_handler(text);
DROP TRIGGER told_again ON alert;
DROP FUNCTION tell_of_graver_alert();
DROP TRIGGER told ON alert;
ALTER TABLE alert NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_point NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert RENAME TO alert_whole;
ALTER TABLE alert_whole RENAME CONSTRAINT alert_pkey TO alert_whole_pkey;
DROP INDEX alert_inbox;
CREATE TABLE alert (
    tenant_id      text NOT NULL REFERENCES tenant,
    alert_id       uuid NOT NULL,
    loan           text NOT NULL,
    subject_id     bigint NOT NULL,
    signal         text NOT NULL,
    level          text NOT NULL CHECK (level IN ('yellow', 'orange', 'red')),
    state          text NOT NULL CHECK (state IN ('new', 'ongoing', 'escalated', 'pending_release')),
    coverage       text NOT NULL DEFAULT 'full' CHECK (coverage IN ('full', 'partial')),
    point          bigint NOT NULL,
    points         integer NOT NULL DEFAULT 1,
    evidence       jsonb NOT NULL,
    signals_digest text NOT NULL,
    raised_at      bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (tenant_id, alert_id),
    UNIQUE (tenant_id, loan, signal, point)
);
CREATE INDEX alert_inbox ON alert (tenant_id, level, state, raised_at);
-- A row for each month with the signal, numbered within months in a row; the first keeps the alert's id.
WITH months AS (
    SELECT DISTINCT ON (a.tenant_id, a.loan, a.signal, p.point) a.*, p.point, p.gravest, p.last_day,
           (extract(year FROM m.at) * 12 + extract(month FROM m.at))::integer AS month
    FROM alert_whole a JOIN alert_point p USING (tenant_id, alert_id)
    CROSS JOIN LATERAL (SELECT to_timestamp((p.point + 28800000000) / 1000000.0) AT TIME ZONE 'UTC' AS at) m
    WHERE p.gravest > 0 AND a.scope = 'loan'
    ORDER BY a.tenant_id, a.loan, a.signal, p.point, a.raised_at DESC
), islands AS (
    SELECT *, month - row_number() OVER (PARTITION BY tenant_id, loan, signal ORDER BY point) AS island,
           row_number() OVER (PARTITION BY tenant_id, alert_id ORDER BY point) AS place,
           max(point) OVER (PARTITION BY tenant_id, alert_id) AS newest
    FROM months
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY tenant_id, loan, signal, island ORDER BY point)::integer AS nth FROM islands
)
INSERT INTO alert (tenant_id, alert_id, loan, subject_id, signal, level, state, point, points, evidence, signals_digest,
                   raised_at, updated_at)
SELECT tenant_id, CASE WHEN place = 1 THEN alert_id ELSE gen_random_uuid() END, loan, subject_id, signal,
       (ARRAY['yellow', 'orange', 'red'])[gravest], CASE WHEN nth = 1 THEN 'new' ELSE 'ongoing' END, point, nth,
       evidence, signals_digest, CASE WHEN place = 1 THEN raised_at ELSE last_day * 86400000000 - 28800000000 END,
       CASE WHEN point = newest THEN seen_at
            ELSE greatest(last_day * 86400000000 - 28800000000, CASE WHEN place = 1 THEN raised_at ELSE 0 END) END
FROM numbered;
DROP TABLE alert_event;
DROP TABLE alert_point;
DROP TABLE alert_whole;
DROP TABLE alert_case;
ALTER TABLE alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON alert USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT ON alert TO yidai_app;
GRANT UPDATE (level, state, evidence, updated_at) ON alert TO yidai_app;
CREATE TRIGGER told AFTER INSERT ON alert FOR EACH ROW EXECUTE FUNCTION tell_of_alert();
