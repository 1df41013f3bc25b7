-- What one person did, newest first.
CREATE INDEX audit_log_of_actor ON audit_log (tenant_id, actor_id, entry);

CREATE FUNCTION id_of_actor(p_name text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.actor_id FROM actor a
    WHERE a.name = p_name AND a.tenant_id = current_setting('yidai.tenant', true)
$$;
REVOKE ALL ON FUNCTION id_of_actor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION id_of_actor TO yidai_app;
