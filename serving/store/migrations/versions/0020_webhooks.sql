-- Where a tenant wants to be told of what happened. The secret is sealed under the master key; for a day after it was
-- rotated the one before it signs too.
CREATE TABLE webhook_endpoint (
    tenant_id   text NOT NULL REFERENCES tenant,
    endpoint_id uuid NOT NULL,
    url         text NOT NULL CHECK (length(url) <= 500),
    kinds       text[] NOT NULL CHECK (cardinality(kinds) > 0),
    secret      bytea NOT NULL,
    old_secret  bytea,
    old_until   bigint,
    created_by  uuid NOT NULL,
    created_at  bigint NOT NULL,
    removed_at  bigint,
    PRIMARY KEY (tenant_id, endpoint_id)
);
CREATE UNIQUE INDEX webhook_url ON webhook_endpoint (tenant_id, url) WHERE removed_at IS NULL;

-- What one endpoint is to be told of one thing: written in the transaction of the thing itself, so that neither is there
-- without the other. The payload is kept as the text that is signed; it names ids and outcomes and nothing of a person.
CREATE TABLE webhook_delivery (
    tenant_id   text NOT NULL,
    delivery_id uuid NOT NULL DEFAULT gen_random_uuid(),
    endpoint_id uuid NOT NULL,
    kind        text NOT NULL,
    payload     text NOT NULL,
    created_at  bigint NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    due_at      bigint NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    ended_at    bigint,
    status      integer,
    error       text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, delivery_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint (tenant_id, endpoint_id),
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX webhook_due ON webhook_delivery (tenant_id, endpoint_id, due_at) WHERE state = 'waiting';
CREATE INDEX webhook_latest ON webhook_delivery (tenant_id, endpoint_id, created_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhook_endpoint', 'webhook_delivery'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
    END LOOP;
END
$$;
GRANT UPDATE (kinds, secret, old_secret, old_until, removed_at) ON webhook_endpoint TO yidai_app;
GRANT UPDATE (state, due_at, attempts, ended_at, status, error) ON webhook_delivery TO yidai_app;
GRANT DELETE ON webhook_delivery TO yidai_app;

CREATE FUNCTION webhook_payload(p_kind text, p_at bigint, p_data json) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'type', p_kind,
        'timestamp', to_char(to_timestamp(p_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', p_data)::text
$$;

-- One thing, to each endpoint of its tenant that asked for its kind.
CREATE FUNCTION tell_webhooks(p_tenant text, p_kind text, p_at bigint, p_data json) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO webhook_delivery (tenant_id, endpoint_id, kind, payload, created_at, due_at)
    SELECT e.tenant_id, e.endpoint_id, p_kind, webhook_payload(p_kind, p_at, p_data), p_at, p_at
    FROM webhook_endpoint e
    WHERE e.tenant_id = p_tenant AND e.removed_at IS NULL AND p_kind = ANY (e.kinds)
$$;

-- Decisions come in groups, and are told in one statement a group.
CREATE FUNCTION tell_of_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_delivery (tenant_id, endpoint_id, kind, payload, created_at, due_at)
    SELECT e.tenant_id, e.endpoint_id, 'decision.made',
           webhook_payload('decision.made', d.decided_at,
                           json_build_object('decision_id', d.decision_id, 'outcome', d.outcome)),
           d.decided_at, d.decided_at
    FROM webhook_endpoint e JOIN fresh d ON d.tenant_id = e.tenant_id
    WHERE e.removed_at IS NULL AND 'decision.made' = ANY (e.kinds);
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER INSERT ON decision REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_decisions();

CREATE FUNCTION tell_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_webhooks(NEW.tenant_id, 'case.decided', NEW.decided_at, json_build_object(
        'case_id', NEW.case_id, 'decision_id', NEW.decision_id, 'linked_id', NEW.linked_id, 'outcome', NEW.outcome));
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER UPDATE ON review_case FOR EACH ROW
    WHEN (NEW.state = 'decided' AND OLD.state <> 'decided') EXECUTE FUNCTION tell_of_case();

CREATE FUNCTION tell_of_offer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_webhooks(NEW.tenant_id, 'offer.expired', NEW.settled_at, json_build_object('decision_id', NEW.decision_id));
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER UPDATE ON offer FOR EACH ROW
    WHEN (NEW.state = 'expired' AND OLD.state <> 'expired') EXECUTE FUNCTION tell_of_offer();

CREATE FUNCTION tell_of_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_webhooks(NEW.tenant_id, 'alert.raised', NEW.raised_at, json_build_object(
        'alert_id', NEW.alert_id, 'signal', NEW.signal, 'level', NEW.level));
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER INSERT ON alert FOR EACH ROW EXECUTE FUNCTION tell_of_alert();

CREATE FUNCTION tell_of_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_webhooks(NEW.tenant_id, 'dispute.answered', NEW.answered_at, json_build_object(
        'dispute_id', NEW.dispute_id, 'verdict', NEW.verdict));
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER UPDATE ON dispute FOR EACH ROW
    WHEN (OLD.verdict IS NULL AND NEW.verdict IS NOT NULL) EXECUTE FUNCTION tell_of_dispute();
