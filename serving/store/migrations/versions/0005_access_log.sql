-- Who read whose records, what, when and why (REG-CR-10). `subjects` is NULL where everybody's records were read.
-- A decision's own row is its entry.
CREATE TABLE access_log (
    tenant_id  text NOT NULL REFERENCES tenant,
    entry      bigint GENERATED ALWAYS AS IDENTITY,
    at         bigint NOT NULL,
    actor      text NOT NULL,
    purpose    text NOT NULL,
    datasets   text[] NOT NULL,
    categories text[] NOT NULL,
    bases      text[] NOT NULL,
    consents   uuid[] NOT NULL,
    left_out   text[] NOT NULL,
    subjects   bigint[],
    PRIMARY KEY (tenant_id, entry)
);
CREATE INDEX access_log_at ON access_log (tenant_id, at);
ALTER TABLE access_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON access_log USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON access_log TO yidai_app;

CREATE FUNCTION name_of_actor(p_actor text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.name FROM actor a
    WHERE a.actor_id::text = p_actor AND a.tenant_id = current_setting('yidai.tenant', true)
$$;
REVOKE ALL ON FUNCTION name_of_actor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION name_of_actor TO yidai_app;
