-- One alert a loan and signal until a person releases it, instead of a row a month; what was seen of it is kept by point, a
-- month's end, and what became of it by event. A village's alert has the village in the place of the loan, and no subject.
ALTER TABLE alert RENAME TO alert_by_month;
ALTER TABLE alert_by_month NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_by_month RENAME CONSTRAINT alert_pkey TO alert_by_month_pkey;
DROP INDEX alert_inbox;

-- All alerts of a borrower that are open at a time: who handles one handles them all.
CREATE TABLE alert_case (
    tenant_id  text NOT NULL REFERENCES tenant,
    case_id    uuid NOT NULL,
    about      text NOT NULL,
    assignee   uuid,
    opened_at  bigint NOT NULL,
    closed_at  bigint,
    PRIMARY KEY (tenant_id, case_id)
);
CREATE UNIQUE INDEX alert_case_open ON alert_case (tenant_id, about) WHERE closed_at IS NULL;

CREATE TABLE alert (
    tenant_id       text NOT NULL REFERENCES tenant,
    alert_id        uuid NOT NULL,
    case_id         uuid NOT NULL,
    scope           text NOT NULL DEFAULT 'loan' CHECK (scope IN ('loan', 'village')),
    loan            text NOT NULL,
    subject_id      bigint,
    signal          text NOT NULL,
    level           text NOT NULL CHECK (level IN ('yellow', 'orange', 'red')),
    state           text NOT NULL CHECK (state IN ('new', 'ongoing', 'pending_release', 'released')),
    coverage        text NOT NULL CHECK (coverage IN ('full', 'partial')),
    points          integer NOT NULL,
    quiet           integer NOT NULL DEFAULT 0,
    band            integer NOT NULL DEFAULT 0,
    disposal_due    bigint,
    after_at        bigint NOT NULL DEFAULT -1,
    seen_at         bigint NOT NULL,
    evidence        jsonb NOT NULL,
    evidence_at     bigint NOT NULL,
    signals_digest  text NOT NULL,
    dpd             integer NOT NULL DEFAULT 0,
    overdue_fen     bigint NOT NULL DEFAULT 0,
    playbook        text NOT NULL,
    expects_by      bigint NOT NULL,
    village         text,
    product         text,
    cause_id        uuid,
    owner           text NOT NULL,
    assignee        uuid,
    raised_at       bigint NOT NULL,
    updated_at      bigint NOT NULL,
    due_at          bigint NOT NULL,
    handled_at      bigint,
    late            integer NOT NULL DEFAULT 0 CHECK (late BETWEEN 0 AND 2),
    snoozed_until   bigint,
    proposal        text CHECK (proposal IN ('release', 'thaw')),
    proposed_by     uuid,
    feedback        text CHECK (feedback IN ('true_warning', 'false_alarm', 'unclear')),
    feedback_level  text CHECK (feedback_level IN ('yellow', 'orange', 'red')),
    released_at     bigint,
    version         integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, alert_id),
    FOREIGN KEY (tenant_id, case_id) REFERENCES alert_case (tenant_id, case_id),
    CHECK ((state = 'released') = (released_at IS NOT NULL)),
    CHECK ((proposal IS NULL) = (proposed_by IS NULL)),
    CHECK ((scope = 'loan') = (subject_id IS NOT NULL)),
    CHECK ((feedback IS NULL) = (feedback_level IS NULL))
);

CREATE TABLE alert_point (
    tenant_id text NOT NULL,
    alert_id  uuid NOT NULL,
    point     bigint NOT NULL,
    gravest   smallint NOT NULL CHECK (gravest BETWEEN 0 AND 3),
    band      smallint NOT NULL,
    last_day  integer NOT NULL,
    last_rank smallint NOT NULL CHECK (last_rank BETWEEN 0 AND 3),
    PRIMARY KEY (tenant_id, alert_id, point),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alert (tenant_id, alert_id)
);

CREATE TABLE alert_event (
    tenant_id      text NOT NULL,
    event          bigint GENERATED ALWAYS AS IDENTITY,
    alert_id       uuid NOT NULL,
    at             bigint NOT NULL,
    actor_id       uuid,
    kind           text NOT NULL,
    reason         text NOT NULL DEFAULT '',
    from_level     text,
    to_level       text,
    from_state     text,
    to_state       text,
    detail         jsonb NOT NULL DEFAULT '{}',
    signals_digest text NOT NULL DEFAULT '',
    key_hash       bytea,
    request_digest bytea,
    PRIMARY KEY (tenant_id, event),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alert (tenant_id, alert_id)
);

-- What was raised before: of each loan and signal one alert, open, with its months as points.
INSERT INTO alert_case (tenant_id, case_id, about, opened_at)
SELECT tenant_id, gen_random_uuid(), 'subject:' || subject_id, min(raised_at) FROM alert_by_month GROUP BY tenant_id, subject_id;
INSERT INTO alert (tenant_id, alert_id, case_id, loan, subject_id, signal, level, state, coverage, points, seen_at, evidence,
                   evidence_at, signals_digest, playbook, expects_by, owner, raised_at, updated_at, due_at)
SELECT l.tenant_id, f.alert_id, c.case_id, l.loan, l.subject_id, l.signal,
       (ARRAY['yellow', 'orange', 'red'])[f.gravest],
       CASE WHEN f.most > 1 THEN 'ongoing' ELSE 'new' END, CASE WHEN f.months > 1 THEN 'full' ELSE 'partial' END, l.points,
       l.updated_at, l.evidence, l.updated_at, l.signals_digest, 'review', l.updated_at + 30 * 86400000000,
       'role:risk_officer', f.raised_at, l.updated_at,
       l.updated_at + (ARRAY[14, 3, 1])[f.gravest] * 86400000000
FROM (SELECT DISTINCT ON (tenant_id, loan, signal) * FROM alert_by_month ORDER BY tenant_id, loan, signal, point DESC) l
JOIN (SELECT tenant_id, loan, signal, (array_agg(alert_id ORDER BY point))[1] AS alert_id, min(raised_at) AS raised_at,
             max(points) AS most, count(*) AS months,
             max(array_position(ARRAY['yellow', 'orange', 'red'], level)) AS gravest
      FROM alert_by_month GROUP BY tenant_id, loan, signal) f USING (tenant_id, loan, signal)
JOIN alert_case c ON c.tenant_id = l.tenant_id AND c.about = 'subject:' || l.subject_id;
INSERT INTO alert_point (tenant_id, alert_id, point, gravest, band, last_day, last_rank)
SELECT m.tenant_id, a.alert_id, m.point, array_position(ARRAY['yellow', 'orange', 'red'], m.level), 0,
       ((m.updated_at + 28800000000) / 86400000000)::integer, array_position(ARRAY['yellow', 'orange', 'red'], m.level)
FROM alert_by_month m JOIN alert a USING (tenant_id, loan, signal);
INSERT INTO alert_event (tenant_id, alert_id, at, kind, to_level, to_state, signals_digest)
SELECT tenant_id, alert_id, raised_at, 'raised', level, state, signals_digest FROM alert;
DROP TABLE alert_by_month;

CREATE UNIQUE INDEX alert_open ON alert (tenant_id, loan, signal, scope) WHERE state <> 'released';
CREATE INDEX alert_of_loan ON alert (tenant_id, loan, signal, seen_at);
CREATE INDEX alert_of_case ON alert (tenant_id, case_id);
CREATE INDEX alert_inbox ON alert (tenant_id, due_at, alert_id) WHERE state <> 'released';
CREATE INDEX alert_inbox_level ON alert (tenant_id, level, due_at, alert_id) WHERE state <> 'released';
CREATE INDEX alert_inbox_assignee ON alert (tenant_id, assignee, due_at, alert_id) WHERE state <> 'released';
CREATE INDEX alert_inbox_village ON alert (tenant_id, village, due_at, alert_id) WHERE state <> 'released';
CREATE INDEX alert_event_of ON alert_event (tenant_id, alert_id, event);
CREATE UNIQUE INDEX alert_event_key ON alert_event (tenant_id, key_hash, alert_id) WHERE key_hash IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['alert_case', 'alert', 'alert_point', 'alert_event'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
    END LOOP;
END
$$;
GRANT UPDATE (assignee, closed_at) ON alert_case TO yidai_app;
GRANT UPDATE (level, state, coverage, points, quiet, band, disposal_due, seen_at, evidence, evidence_at, signals_digest, dpd,
              overdue_fen, expects_by, village, product, assignee, updated_at, due_at, handled_at, late, snoozed_until,
              proposal, proposed_by, feedback, feedback_level, released_at, version) ON alert TO yidai_app;
GRANT UPDATE (gravest, band, last_day, last_rank) ON alert_point TO yidai_app;

CREATE TRIGGER told AFTER INSERT ON alert FOR EACH ROW EXECUTE FUNCTION tell_of_alert();
CREATE FUNCTION tell_of_graver_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_webhooks(NEW.tenant_id, 'alert.escalated', NEW.updated_at, json_build_object(
        'alert_id', NEW.alert_id, 'signal', NEW.signal, 'level', NEW.level, 'late', NEW.late));
    RETURN NULL;
END
$$;
CREATE TRIGGER told_again AFTER UPDATE ON alert FOR EACH ROW
    WHEN (array_position(ARRAY['yellow', 'orange', 'red'], NEW.level) > array_position(ARRAY['yellow', 'orange', 'red'], OLD.level)
          OR NEW.late > OLD.late)
    EXECUTE FUNCTION tell_of_graver_alert();

-- The person of this name who handles alerts: none else is given any.
CREATE FUNCTION alert_handler(p_name text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.actor_id FROM actor a WHERE a.tenant_id = current_setting('yidai.tenant', true) AND a.name = p_name
    AND 'risk_officer' = ANY (a.roles)
$$;
REVOKE ALL ON FUNCTION alert_handler FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alert_handler TO yidai_app;

-- What an alert has frozen stays so until two people thaw it, whatever else is decided of the line meanwhile.
ALTER TABLE offer ADD COLUMN alert_hold uuid;
GRANT UPDATE (alert_hold) ON offer TO yidai_app;
CREATE FUNCTION keep_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.frozen_at := coalesce(NEW.frozen_at, OLD.frozen_at);
    IF NOT 'ALERT_FREEZE' = ANY (NEW.frozen_for) THEN
        NEW.frozen_for := NEW.frozen_for || 'ALERT_FREEZE'::text;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER hold BEFORE UPDATE ON offer FOR EACH ROW WHEN (NEW.alert_hold IS NOT NULL) EXECUTE FUNCTION keep_hold();
