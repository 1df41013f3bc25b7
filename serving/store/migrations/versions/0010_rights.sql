-- A decision that follows another: a person's about it, or one that was made again after a correction.
CREATE TABLE decision_link (
    tenant_id   text NOT NULL,
    decision_id uuid NOT NULL,
    parent_id   uuid NOT NULL CHECK (parent_id <> decision_id),
    kind        text NOT NULL CHECK (kind IN ('person', 'again')),
    about       uuid NOT NULL,
    PRIMARY KEY (tenant_id, decision_id),
    UNIQUE (tenant_id, kind, about, parent_id),
    FOREIGN KEY (tenant_id, decision_id) REFERENCES decision (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES decision (tenant_id, decision_id)
);
CREATE INDEX decision_link_of ON decision_link (tenant_id, parent_id);

-- What waits for a person: one case a decision. `proposal` is sealed under the subject's key, as receipts are.
CREATE TABLE review_case (
    tenant_id      text NOT NULL REFERENCES tenant,
    case_id        uuid NOT NULL DEFAULT gen_random_uuid(),
    decision_id    uuid NOT NULL,
    origin         text NOT NULL CHECK (origin IN ('refer', 'request')),
    system_outcome text NOT NULL,
    grade          integer,
    codes          text[] NOT NULL DEFAULT '{}',
    product        text,
    amount_fen     bigint,
    opened_at      bigint NOT NULL,
    due_at         bigint NOT NULL,
    requested_at   bigint,
    requested_by   uuid,
    state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'taken', 'awaiting_second', 'decided')),
    taken_by       uuid,
    taken_at       bigint,
    proposed_by    uuid,
    proposed_at    bigint,
    proposal       bytea,
    decided_at     bigint,
    linked_id      uuid,
    outcome        text CHECK (outcome IN ('approve', 'decline')),
    reason_code    text,
    override       text,
    PRIMARY KEY (tenant_id, case_id),
    UNIQUE (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, decision_id) REFERENCES decision (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, linked_id) REFERENCES decision (tenant_id, decision_id),
    CHECK ((state = 'decided') = (linked_id IS NOT NULL)),
    CHECK ((state = 'awaiting_second') = (proposal IS NOT NULL)),
    CHECK ((origin = 'request') <= (requested_at IS NOT NULL))
);
CREATE INDEX review_case_due ON review_case (tenant_id, due_at, case_id);

-- A statement of the subject on its own records (REG-CR-05), sealed under its key.
CREATE TABLE subject_statement (
    tenant_id    text NOT NULL REFERENCES tenant,
    statement_id uuid NOT NULL,
    subject_id   bigint NOT NULL,
    dataset      text NOT NULL,
    record_key   bigint,
    sealed       bytea NOT NULL,
    added_by     uuid NOT NULL,
    added_at     bigint NOT NULL,
    PRIMARY KEY (tenant_id, statement_id)
);
CREATE INDEX subject_statement_of ON subject_statement (tenant_id, subject_id);

-- Reports that a subject asked for (REG-CR-06), and the allowance under which each was free: or `paid`.
CREATE TABLE subject_report (
    tenant_id  text NOT NULL REFERENCES tenant,
    report_id  uuid NOT NULL,
    subject_id bigint NOT NULL,
    year       integer NOT NULL,
    allowance  text NOT NULL,
    made_at    bigint NOT NULL,
    made_by    uuid NOT NULL,
    PRIMARY KEY (tenant_id, report_id)
);
CREATE INDEX subject_report_of ON subject_report (tenant_id, subject_id, year);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['decision_link', 'review_case', 'subject_statement', 'subject_report'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['decision_link', 'subject_statement', 'subject_report'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END
$$;
GRANT UPDATE (product, amount_fen, due_at, requested_at, requested_by, state, taken_by, taken_at, proposed_by,
              proposed_at, proposal, decided_at, linked_id, outcome, reason_code, override) ON review_case TO yidai_app;

-- Whoever writes a referred decision opens its case with it, in the same transaction. An answer that cannot be read
-- opens one too, without codes and grade.
CREATE FUNCTION open_case() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb := '{}';
BEGIN
    BEGIN
        answer := convert_from(NEW.answer, 'UTF8')::jsonb;
    EXCEPTION WHEN data_exception THEN
        answer := '{}';
    END;
    INSERT INTO review_case (tenant_id, decision_id, origin, system_outcome, grade, codes, opened_at, due_at)
    VALUES (NEW.tenant_id, NEW.decision_id, 'refer', NEW.outcome, (answer ->> 'grade')::integer,
            ARRAY(SELECT each ->> 'code' FROM jsonb_array_elements(
                CASE jsonb_typeof(answer -> 'reasons') WHEN 'array' THEN answer -> 'reasons' ELSE '[]' END) each),
            NEW.decided_at, NEW.decided_at + 15 * 86400000000);
    RETURN NULL;
END
$$;
CREATE TRIGGER referred AFTER INSERT ON decision FOR EACH ROW WHEN (NEW.outcome = 'refer')
    EXECUTE FUNCTION open_case();

-- An answer in writing, sealed under the subject's key; `confirmed` is told as the law tells it. Decisions that were
-- referred before have their cases too.
ALTER TABLE dispute ADD COLUMN answer bytea;
GRANT UPDATE (answer) ON dispute TO yidai_app;
ALTER TABLE dispute DROP CONSTRAINT dispute_verdict_check;
DO $$
DECLARE
    name text;
    one record;
BEGIN
    FOR name IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('yidai.tenant', name, true);
        UPDATE dispute SET verdict = 'upheld' WHERE verdict = 'confirmed' AND tenant_id = name;
        INSERT INTO review_case (tenant_id, decision_id, origin, system_outcome, opened_at, due_at)
        SELECT tenant_id, decision_id, 'refer', outcome, decided_at, decided_at + 15 * 86400000000
        FROM decision WHERE outcome = 'refer' AND tenant_id = name;
    END LOOP;
    PERFORM set_config('yidai.tenant', '', true);
END
$$;
ALTER TABLE dispute ADD CONSTRAINT dispute_verdict_check CHECK (verdict IN ('corrected', 'upheld', 'withdrawn'));
CREATE INDEX dispute_of_subject ON dispute (tenant_id, subject_id);

CREATE FUNCTION title_of_tenant() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.title FROM tenant t WHERE t.tenant_id = current_setting('yidai.tenant', true)
$$;
REVOKE ALL ON FUNCTION title_of_tenant FROM PUBLIC;
GRANT EXECUTE ON FUNCTION title_of_tenant TO yidai_app;
