-- A key may be limited to some of its actor's permissions and to some products; null is no limit.
ALTER TABLE token
    ADD COLUMN permissions  text[] CHECK (cardinality(permissions) > 0),
    ADD COLUMN products     text[] CHECK (cardinality(products) > 0),
    ADD COLUMN last_used_at bigint;
CREATE INDEX token_of_actor ON token (actor_id, created_at);

-- Says too that the key was used, to the minute: a busy key writes once a minute and not at every request.
DROP FUNCTION actor_of_token(bytea, bigint);
CREATE FUNCTION actor_of_token(p_hash bytea, p_now bigint)
RETURNS TABLE (actor_id uuid, tenant_id text, name text, roles text[], permissions text[], products text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
    UPDATE token t SET last_used_at = p_now
    WHERE t.token_hash = p_hash AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > p_now)
      AND (t.last_used_at IS NULL OR t.last_used_at < p_now - 60000000);
    RETURN QUERY
    SELECT a.actor_id, a.tenant_id, a.name, a.roles, t.permissions, t.products
    FROM token t JOIN actor a USING (actor_id)
    WHERE t.token_hash = p_hash AND t.revoked_at IS NULL AND a.ended_at IS NULL
      AND (t.expires_at IS NULL OR t.expires_at > p_now);
END
$$;
REVOKE ALL ON FUNCTION actor_of_token FROM PUBLIC;
GRANT EXECUTE ON FUNCTION actor_of_token TO yidai_app;
