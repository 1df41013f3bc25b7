-- The inventory of models, by slot; the newest entry of a slot counts. Tier 1 is the most material.
CREATE TABLE model_entry (
    tenant_id   text NOT NULL REFERENCES tenant,
    slot        text NOT NULL CHECK (slot ~ '^bundle\.[a-z][a-z0-9_]*$'),
    tier        smallint NOT NULL CHECK (tier BETWEEN 1 AND 3),
    owner       text NOT NULL CHECK (owner <> ''),
    purpose     text NOT NULL CHECK (purpose <> ''),
    limits      text NOT NULL CHECK (limits <> ''),
    recorded_by uuid NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, slot, recorded_at)
);

-- What is known of a version: reports as their JSON twins. `about` is the other version of a comparison, else empty.
CREATE TABLE evidence (
    tenant_id text NOT NULL,
    digest    text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('report', 'fairness', 'comparison')),
    about     text NOT NULL DEFAULT '',
    bytes     bytea NOT NULL,
    hash      text NOT NULL CHECK (encode(sha256(bytes), 'hex') = hash),
    added_by  uuid NOT NULL,
    added_at  bigint NOT NULL,
    PRIMARY KEY (tenant_id, digest, kind, about),
    FOREIGN KEY (tenant_id, digest) REFERENCES artifact,
    CHECK ((kind = 'comparison') = (about <> ''))
);

-- One row a promotion, written in its transaction: what went into force together, and every gate as it was seen.
CREATE TABLE promotion (
    tenant_id   text NOT NULL REFERENCES tenant,
    promoted_at bigint NOT NULL,
    promoted_by uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('promote', 'rollback', 'retire')),
    slots       jsonb NOT NULL,
    gates       jsonb NOT NULL,
    waived      text[] NOT NULL DEFAULT '{}',
    reason      text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, promoted_at),
    CHECK (cardinality(waived) = 0 OR reason <> '')
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['model_entry', 'evidence', 'promotion'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END
$$;
