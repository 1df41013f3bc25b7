-- Instants are bigint microseconds of UTC; money is bigint fen. Every table with a tenant_id is under forced
-- row-level security: the application's role sees the rows of `yidai.tenant` and, without it, nothing.

CREATE TABLE tenant (
    tenant_id  text PRIMARY KEY CHECK (tenant_id ~ '^[a-z][a-z0-9_-]{0,31}$'),
    title      text NOT NULL,
    created_at bigint NOT NULL
);

-- Shared by all tenants, as the lake is; the application reaches it by exact keyed hash only.
CREATE TABLE subject (
    kind         text NOT NULL,
    number_hash  bytea NOT NULL,
    subject_id   bigint NOT NULL UNIQUE,
    number       bytea NOT NULL,
    wrapped_key  bytea NOT NULL,
    PRIMARY KEY (kind, number_hash)
);
CREATE TABLE subject_counter (given bigint NOT NULL);
INSERT INTO subject_counter VALUES (0);

CREATE TABLE actor (
    actor_id   uuid PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenant,
    name       text NOT NULL,
    roles      text[] NOT NULL,
    created_at bigint NOT NULL,
    ended_at   bigint,
    UNIQUE (tenant_id, name)
);

CREATE TABLE token (
    token_hash bytea PRIMARY KEY,
    actor_id   uuid NOT NULL REFERENCES actor,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

CREATE TABLE consent (
    tenant_id    text NOT NULL REFERENCES tenant,
    consent_id   uuid NOT NULL,
    subject_id   bigint NOT NULL,
    categories   text[] NOT NULL,
    purpose      text NOT NULL,
    recipient    text NOT NULL,
    form         text NOT NULL,
    valid_from   bigint NOT NULL,
    valid_to     bigint NOT NULL,
    given_at     bigint NOT NULL,
    withdrawn_at bigint,
    recorded_by  uuid NOT NULL,
    PRIMARY KEY (tenant_id, consent_id),
    CHECK (valid_from < valid_to),
    CHECK (recipient = tenant_id)
);
CREATE INDEX consent_of_subject ON consent (tenant_id, subject_id);

CREATE TABLE subject_timeline (
    tenant_id   text NOT NULL REFERENCES tenant,
    subject_id  bigint NOT NULL,
    version     bigint NOT NULL,
    packed      bytea NOT NULL,
    hydrated_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, subject_id)
);
ALTER TABLE subject_timeline ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE TABLE artifact (
    tenant_id  text NOT NULL REFERENCES tenant,
    digest     text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    kind       text NOT NULL CHECK (kind IN ('policy', 'definitions', 'bundle', 'signals', 'scale')),
    bytes      bytea NOT NULL CHECK (encode(sha256(bytes), 'hex') = digest),
    note       text NOT NULL DEFAULT '',
    created_by uuid NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, digest)
);

CREATE TABLE approval (
    tenant_id   text NOT NULL,
    digest      text NOT NULL,
    approved_by uuid NOT NULL,
    approved_at bigint NOT NULL,
    verdict     text NOT NULL CHECK (verdict IN ('approved', 'refused')),
    reason      text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, digest, approved_by),
    FOREIGN KEY (tenant_id, digest) REFERENCES artifact
);

CREATE TABLE activation (
    tenant_id    text NOT NULL,
    slot         text NOT NULL,
    digest       text NOT NULL,
    active_from  bigint NOT NULL,
    active_to    bigint,
    activated_by uuid NOT NULL,
    PRIMARY KEY (tenant_id, slot, active_from),
    FOREIGN KEY (tenant_id, digest) REFERENCES artifact,
    CHECK (active_to IS NULL OR active_to > active_from)
);
CREATE UNIQUE INDEX one_active ON activation (tenant_id, slot) WHERE active_to IS NULL;

CREATE TABLE decision (
    tenant_id      text NOT NULL REFERENCES tenant,
    decision_id    uuid NOT NULL,
    key_hash       bytea NOT NULL,
    request_digest bytea NOT NULL,
    subject_id     bigint NOT NULL,
    consent_id     uuid NOT NULL,
    actor_id       uuid NOT NULL,
    decided_at     bigint NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('approve', 'refer', 'decline')),
    answer         bytea NOT NULL,
    receipt        bytea NOT NULL,
    receipt_hash   bytea NOT NULL CHECK (sha256(receipt) = receipt_hash),
    PRIMARY KEY (tenant_id, decision_id),
    UNIQUE (tenant_id, key_hash)
);
ALTER TABLE decision ALTER COLUMN receipt SET STORAGE EXTERNAL;
CREATE INDEX decision_of_subject ON decision (tenant_id, subject_id);

CREATE TABLE budget (
    tenant_id text NOT NULL REFERENCES tenant,
    name      text NOT NULL,
    period    text NOT NULL,
    used      bigint NOT NULL CHECK (used >= 0),
    PRIMARY KEY (tenant_id, name, period)
);

CREATE TABLE audit_log (
    tenant_id text NOT NULL REFERENCES tenant,
    entry     bigint GENERATED ALWAYS AS IDENTITY,
    at        bigint NOT NULL,
    actor_id  uuid,
    action    text NOT NULL,
    object    text NOT NULL,
    detail    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, entry)
);

CREATE TABLE alert (
    tenant_id      text NOT NULL REFERENCES tenant,
    alert_id       uuid NOT NULL,
    loan           text NOT NULL,
    subject_id     bigint NOT NULL,
    signal         text NOT NULL,
    level          text NOT NULL CHECK (level IN ('yellow', 'orange', 'red')),
    state          text NOT NULL CHECK (state IN ('new', 'ongoing', 'escalated', 'pending_release')),
    coverage       text NOT NULL DEFAULT 'full' CHECK (coverage IN ('full', 'partial')),
    point          bigint NOT NULL,
    points         integer NOT NULL DEFAULT 1,
    evidence       jsonb NOT NULL,
    signals_digest text NOT NULL,
    raised_at      bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (tenant_id, alert_id),
    UNIQUE (tenant_id, loan, signal, point)
);
CREATE INDEX alert_inbox ON alert (tenant_id, level, state, raised_at);

-- One row's place under row-level security.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['consent', 'subject_timeline', 'artifact', 'approval', 'activation', 'decision',
                                'budget', 'audit_log', 'alert'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
    END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO yidai_app;
GRANT SELECT, INSERT ON consent, activation, budget, alert TO yidai_app;
GRANT UPDATE (withdrawn_at) ON consent TO yidai_app;
GRANT UPDATE (active_to) ON activation TO yidai_app;
GRANT UPDATE (used) ON budget TO yidai_app;
GRANT UPDATE (level, state, evidence, updated_at) ON alert TO yidai_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON subject_timeline TO yidai_app;
GRANT SELECT, INSERT ON artifact, approval, decision, audit_log TO yidai_app;

-- What is written once stays: whoever asks.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'YD001';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON artifact
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Two persons: the author never approves, and nothing is active that another person has not approved.
CREATE FUNCTION refuse_own_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM artifact a WHERE a.tenant_id = NEW.tenant_id AND a.digest = NEW.digest
               AND a.created_by = NEW.approved_by) THEN
        RAISE EXCEPTION 'the author may not approve' USING ERRCODE = 'YD002';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER two_persons BEFORE INSERT ON approval FOR EACH ROW EXECUTE FUNCTION refuse_own_approval();

CREATE FUNCTION refuse_unapproved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.tenant_id, NEW.slot, NEW.digest, NEW.active_from, NEW.activated_by)
           IS DISTINCT FROM (OLD.tenant_id, OLD.slot, OLD.digest, OLD.active_from, OLD.activated_by)
           OR OLD.active_to IS NOT NULL THEN
            RAISE EXCEPTION 'an activation can only be ended' USING ERRCODE = 'YD001';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM approval p WHERE p.tenant_id = NEW.tenant_id AND p.digest = NEW.digest
                   AND p.verdict = 'approved')
       OR EXISTS (SELECT 1 FROM approval p WHERE p.tenant_id = NEW.tenant_id AND p.digest = NEW.digest
                  AND p.verdict = 'refused') THEN
        RAISE EXCEPTION 'no second person has approved' USING ERRCODE = 'YD003';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER approved_only BEFORE INSERT OR UPDATE ON activation
    FOR EACH ROW EXECUTE FUNCTION refuse_unapproved();

-- The only ways of the application's role to what has no tenant: by exact hash or id.
CREATE FUNCTION actor_of_token(p_hash bytea, p_now bigint)
RETURNS TABLE (actor_id uuid, tenant_id text, name text, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.actor_id, a.tenant_id, a.name, a.roles
    FROM token t JOIN actor a USING (actor_id)
    WHERE t.token_hash = p_hash AND t.revoked_at IS NULL AND a.ended_at IS NULL
      AND (t.expires_at IS NULL OR t.expires_at > p_now)
$$;

CREATE FUNCTION subject_of(p_kind text, p_hash bytea) RETURNS TABLE (subject_id bigint, wrapped_key bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT s.subject_id, s.wrapped_key FROM subject s WHERE s.kind = p_kind AND s.number_hash = p_hash
$$;

CREATE FUNCTION key_of_subject(p_subject bigint) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT s.wrapped_key FROM subject s WHERE s.subject_id = p_subject
$$;

-- Everything that one decision reads, in one round trip. Runs as the caller, under row-level security.
CREATE FUNCTION read_decision(
    p_tenant text, p_key bytea, p_kind text, p_number bytea, p_consent uuid, p_now bigint
) RETURNS TABLE (
    stored_digest bytea, stored_answer bytea, subject_id bigint, wrapped_key bytea,
    consent_subject bigint, categories text[], purpose text, valid_from bigint, valid_to bigint,
    withdrawn_at bigint, version bigint, packed bytea, slots text[], digests text[]
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    RETURN QUERY
    SELECT d.request_digest, d.answer, s.subject_id, s.wrapped_key,
           c.subject_id, c.categories, c.purpose, c.valid_from, c.valid_to, c.withdrawn_at,
           t.version, t.packed, a.slots, a.digests
    FROM (VALUES (1)) one(x)
    LEFT JOIN decision d ON d.tenant_id = p_tenant AND d.key_hash = p_key
    LEFT JOIN LATERAL subject_of(p_kind, p_number) s ON true
    LEFT JOIN consent c ON c.tenant_id = p_tenant AND c.consent_id = p_consent
    LEFT JOIN subject_timeline t ON t.tenant_id = p_tenant AND t.subject_id = s.subject_id
    CROSS JOIN LATERAL (
        SELECT array_agg(v.slot ORDER BY v.slot) AS slots, array_agg(v.digest ORDER BY v.slot) AS digests
        FROM activation v
        WHERE v.tenant_id = p_tenant AND v.active_from <= p_now AND (v.active_to IS NULL OR v.active_to > p_now)
    ) a;
END
$$;

-- Store a group of decisions of one tenant; returns, for every key that was taken, what is stored under it.
CREATE FUNCTION store_decisions(
    p_tenant text, p_ids uuid[], p_keys bytea[], p_digests bytea[], p_subjects bigint[], p_consents uuid[],
    p_actors uuid[], p_at bigint[], p_outcomes text[], p_answers bytea[], p_receipts bytea[], p_hashes bytea[]
) RETURNS TABLE (key_hash bytea, decision_id uuid, request_digest bytea, answer bytea)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    INSERT INTO decision (tenant_id, decision_id, key_hash, request_digest, subject_id, consent_id, actor_id,
                          decided_at, outcome, answer, receipt, receipt_hash)
    SELECT p_tenant, u.* FROM unnest(p_ids, p_keys, p_digests, p_subjects, p_consents, p_actors, p_at,
                                     p_outcomes, p_answers, p_receipts, p_hashes)
        AS u (id, u_key, digest, subject, consent, actor, at, outcome, answer, receipt, hash)
    ORDER BY u.u_key
    ON CONFLICT (tenant_id, key_hash) DO NOTHING;
    RETURN QUERY
    SELECT d.key_hash, d.decision_id, d.request_digest, d.answer FROM decision d
    WHERE d.tenant_id = p_tenant AND d.key_hash = ANY (p_keys) AND d.decision_id <> ALL (p_ids);
END
$$;
REVOKE ALL ON FUNCTION actor_of_token, subject_of, key_of_subject FROM PUBLIC;
GRANT EXECUTE ON FUNCTION actor_of_token, subject_of, key_of_subject TO yidai_app;
