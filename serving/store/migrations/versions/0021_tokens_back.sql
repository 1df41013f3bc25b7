DROP FUNCTION actor_of_token(bytea, bigint);
DROP INDEX token_of_actor;
-- A limited key would be an unlimited one without its columns.
UPDATE token SET revoked_at = coalesce(revoked_at, created_at) WHERE permissions IS NOT NULL OR products IS NOT NULL;
ALTER TABLE token DROP COLUMN permissions, DROP COLUMN products, DROP COLUMN last_used_at;
CREATE FUNCTION actor_of_token(p_hash bytea, p_now bigint)
RETURNS TABLE (actor_id uuid, tenant_id text, name text, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.actor_id, a.tenant_id, a.name, a.roles
    FROM token t JOIN actor a USING (actor_id)
    WHERE t.token_hash = p_hash AND t.revoked_at IS NULL AND a.ended_at IS NULL
      AND (t.expires_at IS NULL OR t.expires_at > p_now)
$$;
REVOKE ALL ON FUNCTION actor_of_token FROM PUBLIC;
GRANT EXECUTE ON FUNCTION actor_of_token TO yidai_app;
