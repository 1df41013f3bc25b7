-- What an operator stopped: approvals of all products, of one, or by one model. A stop holds until it is ended, and its
-- row stays; at most one of a kind holds at a time.
CREATE TABLE approval_stop (
    tenant_id  text NOT NULL REFERENCES tenant,
    stop_id    uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('all', 'product', 'model')),
    name       text NOT NULL,
    reason     text NOT NULL,
    stopped_at bigint NOT NULL,
    stopped_by uuid NOT NULL,
    ended_at   bigint,
    ended_by   uuid,
    ended_for  text,
    PRIMARY KEY (tenant_id, stop_id),
    CHECK ((kind = 'all') = (name = '')),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_for IS NULL))
);
CREATE UNIQUE INDEX approval_stop_holds ON approval_stop (tenant_id, kind, name) WHERE ended_at IS NULL;
ALTER TABLE approval_stop ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_stop FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON approval_stop USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT ON approval_stop TO yidai_app;
GRANT UPDATE (ended_at, ended_by, ended_for) ON approval_stop TO yidai_app;
