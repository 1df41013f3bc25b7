-- The password of a person of a small installation, as argon2id's own text.
CREATE TABLE account (
    actor_id    uuid PRIMARY KEY REFERENCES actor,
    password    text NOT NULL CHECK (password LIKE '$argon2id$%'),
    changed_at  bigint NOT NULL,
    must_change boolean NOT NULL
);

-- Whom an identity provider means by a subject of its own.
CREATE TABLE linked_identity (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    actor_id  uuid NOT NULL REFERENCES actor,
    linked_at bigint NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Sessions of the console. The secret is in the browser's cookie only; its SHA-256 is here.
CREATE TABLE console_session (
    session_hash bytea PRIMARY KEY CHECK (octet_length(session_hash) = 32),
    actor_id     uuid NOT NULL REFERENCES actor,
    csrf         text NOT NULL,
    method       text NOT NULL CHECK (method IN ('password', 'provider')),
    agent        text NOT NULL,
    made_at      bigint NOT NULL,
    seen_at      bigint NOT NULL,
    ends_at      bigint NOT NULL,
    ended_at     bigint
);
CREATE INDEX console_session_of ON console_session (actor_id, made_at);

-- A sign-in at a provider that has begun: what must come back, and where the person wanted to go.
CREATE TABLE provider_sign_in (
    state_hash bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
    nonce      text NOT NULL,
    verifier   text NOT NULL,
    target     text NOT NULL,
    made_at    bigint NOT NULL
);

-- Failed sign-ins of a name, and of an address, within a window that begins with the first.
CREATE TABLE failed_sign_in (
    who      bytea PRIMARY KEY CHECK (octet_length(who) = 32),
    failures integer NOT NULL,
    first_at bigint NOT NULL
);

-- None of these is read by the application's role but through this: whose session this is, if it is open. It says too
-- that the session was used, to the minute.
CREATE FUNCTION actor_of_session(p_hash bytea, p_now bigint, p_idle bigint)
RETURNS TABLE (actor_id uuid, tenant_id text, name text, roles text[], csrf text, ends_at bigint, must_change boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
    UPDATE console_session s SET seen_at = p_now
    WHERE s.session_hash = p_hash AND s.ended_at IS NULL AND s.ends_at > p_now
      AND s.seen_at < p_now - 60000000 AND s.seen_at > p_now - p_idle;
    RETURN QUERY
    SELECT a.actor_id, a.tenant_id, a.name, a.roles, s.csrf, s.ends_at,
           s.method = 'password' AND coalesce(c.must_change, true)
    FROM console_session s JOIN actor a USING (actor_id) LEFT JOIN account c USING (actor_id)
    WHERE s.session_hash = p_hash AND s.ended_at IS NULL AND a.ended_at IS NULL
      AND s.ends_at > p_now AND s.seen_at > p_now - p_idle;
END
$$;
REVOKE ALL ON FUNCTION actor_of_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION actor_of_session TO yidai_app;
