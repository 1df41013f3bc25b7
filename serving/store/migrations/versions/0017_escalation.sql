-- What is late is raised: a case or dispute that is overdue to level 1, a week later to level 2. Each step is kept once.
ALTER TABLE review_case ADD COLUMN level integer NOT NULL DEFAULT 0 CHECK (level BETWEEN 0 AND 2);
ALTER TABLE dispute ADD COLUMN level integer NOT NULL DEFAULT 0 CHECK (level BETWEEN 0 AND 2);
GRANT UPDATE (level) ON review_case, dispute TO yidai_app;
CREATE TABLE escalation (
    tenant_id text NOT NULL REFERENCES tenant,
    kind      text NOT NULL CHECK (kind IN ('case', 'dispute')),
    about     uuid NOT NULL,
    level     integer NOT NULL CHECK (level BETWEEN 1 AND 2),
    due_at    bigint NOT NULL,
    raised_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind, about, level)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON escalation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE escalation ENABLE ROW LEVEL SECURITY;
ALTER TABLE escalation FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON escalation USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT ON escalation TO yidai_app;
