-- What the nightly run over the book and over the models in use tells, one document a month and part, so that a page shows it
-- without working it out. A run within the same month replaces its document.
CREATE TABLE report (
    tenant_id text NOT NULL REFERENCES tenant,
    kind      text NOT NULL CHECK (kind IN ('portfolio', 'monitoring')),
    about     text NOT NULL,
    as_of     bigint NOT NULL,
    made_at   bigint NOT NULL,
    body      text NOT NULL,
    PRIMARY KEY (tenant_id, kind, about, as_of)
);
ALTER TABLE report ENABLE ROW LEVEL SECURITY;
ALTER TABLE report FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON report USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT, UPDATE (made_at, body) ON report TO yidai_app;
