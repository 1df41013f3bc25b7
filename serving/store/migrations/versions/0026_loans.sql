-- Which loans are a tenant's, and whose they are: what happened to a loan is in the timeline, under its borrower.
CREATE TABLE loan_account (
    tenant_id  text NOT NULL REFERENCES tenant,
    loan_id    uuid NOT NULL,
    subject_id bigint NOT NULL,
    sent_by    uuid NOT NULL,
    sent_at    bigint NOT NULL,
    PRIMARY KEY (tenant_id, loan_id)
);
ALTER TABLE loan_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE loan_account FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON loan_account USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT ON loan_account TO yidai_app;
