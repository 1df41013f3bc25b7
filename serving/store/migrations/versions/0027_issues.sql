-- What the monitoring of models found, for a person to answer by a day: opened once, closed with a reason, never removed.
CREATE TABLE model_issue (
    tenant_id text NOT NULL REFERENCES tenant,
    issue_id  uuid NOT NULL,
    model     text NOT NULL,
    bundle    text NOT NULL,
    kind      text NOT NULL,
    month     text NOT NULL,
    about     text NOT NULL,
    figure    double precision NOT NULL,
    bound     double precision NOT NULL,
    todo      text NOT NULL,
    owner     text NOT NULL,
    opened_by uuid NOT NULL,
    opened_at bigint NOT NULL,
    due_at    bigint NOT NULL,
    closed_by uuid,
    closed_at bigint,
    reason    text,
    PRIMARY KEY (tenant_id, issue_id),
    UNIQUE (tenant_id, bundle, kind, month, about),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (reason IS NULL))
);
ALTER TABLE model_issue ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_issue FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON model_issue USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT, UPDATE (closed_by, closed_at, reason) ON model_issue TO yidai_app;
