DROP TRIGGER referred ON decision;
DROP FUNCTION open_case, title_of_tenant;
DROP TABLE subject_report, subject_statement, review_case, decision_link;
DROP INDEX dispute_of_subject;
ALTER TABLE dispute DROP CONSTRAINT dispute_verdict_check, DROP COLUMN answer;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('yidai.tenant', name, true);
        UPDATE dispute SET verdict = 'confirmed' WHERE verdict = 'upheld' AND tenant_id = name;
    END LOOP;
    PERFORM set_config('yidai.tenant', '', true);
END
$$;
ALTER TABLE dispute ADD CONSTRAINT dispute_verdict_check CHECK (verdict IN ('corrected', 'confirmed', 'withdrawn'));
