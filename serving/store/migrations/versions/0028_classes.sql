-- A loan's class, stage and expected loss at each month's end: proposed by the rules, confirmed by people. What people said is
-- kept by event.
ALTER TABLE artifact DROP CONSTRAINT artifact_kind_check;
ALTER TABLE artifact ADD CONSTRAINT artifact_kind_check
    CHECK (kind IN ('policy', 'definitions', 'bundle', 'signals', 'scale', 'list', 'classes'));

CREATE TABLE class_point (
    tenant_id     text NOT NULL REFERENCES tenant,
    month         text NOT NULL CHECK (month ~ '^\d{4}-\d{2}$'),
    loan          text NOT NULL,
    subject_id    bigint NOT NULL,
    proposed      text NOT NULL CHECK (proposed IN ('normal', 'special_mention', 'substandard', 'doubtful', 'loss')),
    raised        text NOT NULL CHECK (raised IN ('normal', 'special_mention', 'substandard', 'doubtful', 'loss')),
    risk_class    text NOT NULL CHECK (risk_class IN ('normal', 'special_mention', 'substandard', 'doubtful', 'loss')),
    held_by       text NOT NULL DEFAULT '',
    stage         smallint NOT NULL CHECK (stage BETWEEN 1 AND 3),
    alert_level   text CHECK (alert_level IN ('yellow', 'orange', 'red')),
    left_by       text NOT NULL DEFAULT '' CHECK (left_by IN ('', 'repaid', 'written_off')),
    dpd           integer NOT NULL,
    balance_fen   bigint NOT NULL CHECK (balance_fen >= 0),
    ecl_fen       bigint NOT NULL CHECK (ecl_fen BETWEEN 0 AND balance_fen),
    ecl_year_fen  bigint NOT NULL CHECK (ecl_year_fen >= 0),
    ecl_life_fen  bigint NOT NULL CHECK (ecl_life_fen >= ecl_year_fen),
    segment       text NOT NULL,
    months_clean  integer NOT NULL,
    periods_kept  integer NOT NULL,
    evidence      jsonb NOT NULL,
    parameters    text NOT NULL,
    proposed_at   bigint NOT NULL,
    confirmed_by  uuid,
    confirmed_at  bigint,
    reason        text NOT NULL DEFAULT '',
    pending       text CHECK (pending IN ('normal', 'special_mention', 'substandard', 'doubtful', 'loss')),
    pending_by    uuid,
    version       integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, month, loan),
    CHECK ((pending IS NULL) = (pending_by IS NULL)),
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL)),
    CHECK (left_by = '' OR balance_fen = 0)
);
CREATE INDEX class_point_of_loan ON class_point (tenant_id, loan, month);
CREATE INDEX class_point_unconfirmed ON class_point (tenant_id, month, loan) WHERE confirmed_at IS NULL AND left_by = '';

CREATE TABLE class_event (
    tenant_id      text NOT NULL,
    event          bigint GENERATED ALWAYS AS IDENTITY,
    month          text NOT NULL,
    loan           text NOT NULL,
    at             bigint NOT NULL,
    actor_id       uuid,
    kind           text NOT NULL CHECK (kind IN ('proposed_anew', 'confirmed', 'better_proposed', 'better_confirmed')),
    from_class     text NOT NULL,
    to_class       text NOT NULL,
    reason         text NOT NULL DEFAULT '',
    key_hash       bytea,
    request_digest bytea,
    PRIMARY KEY (tenant_id, event),
    FOREIGN KEY (tenant_id, month, loan) REFERENCES class_point (tenant_id, month, loan)
);
CREATE INDEX class_event_of ON class_event (tenant_id, loan, event);
CREATE UNIQUE INDEX class_event_key ON class_event (tenant_id, key_hash) WHERE key_hash IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON class_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['class_point', 'class_event'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
    END LOOP;
END
$$;
GRANT UPDATE (proposed, raised, risk_class, held_by, stage, alert_level, left_by, dpd, balance_fen, ecl_fen, ecl_year_fen,
              ecl_life_fen, segment, months_clean, periods_kept, evidence, parameters, proposed_at, confirmed_by, confirmed_at,
              reason, pending, pending_by, version) ON class_point TO yidai_app;
