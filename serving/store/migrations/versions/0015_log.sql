-- The sealed log: an RFC 6962 tree over receipts in the order in which they were sealed.

-- Receipts that are not sealed yet. The mark is written by the decision's own transaction, so that it appears when
-- that commits, however late, and is taken away by the transaction that seals.
CREATE TABLE receipt_unsealed (
    tenant_id   text NOT NULL REFERENCES tenant,
    decision_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, decision_id)
);
CREATE TABLE log_leaf (
    tenant_id   text NOT NULL REFERENCES tenant,
    place       bigint NOT NULL CHECK (place >= 0),
    decision_id uuid NOT NULL,
    leaf_hash   bytea NOT NULL CHECK (length(leaf_hash) = 32),
    sealed_at   bigint NOT NULL,
    PRIMARY KEY (tenant_id, place),
    UNIQUE (tenant_id, decision_id)
);
-- Roots of full subtrees of 256 leaves (level 1), of 256 of these (level 2) ..., so that a proof reads few rows.
CREATE TABLE log_tile (
    tenant_id text NOT NULL REFERENCES tenant,
    level     integer NOT NULL CHECK (level > 0),
    place     bigint NOT NULL CHECK (place >= 0),
    root      bytea NOT NULL CHECK (length(root) = 32),
    PRIMARY KEY (tenant_id, level, place)
);
CREATE TABLE log_key (
    tenant_id  text NOT NULL REFERENCES tenant,
    key_id     bytea NOT NULL,
    name       text NOT NULL,
    public_key bytea NOT NULL,
    first_at   bigint NOT NULL,
    PRIMARY KEY (tenant_id, key_id)
);
-- A new key signs the size that the old one has signed last.
CREATE TABLE log_checkpoint (
    tenant_id text NOT NULL REFERENCES tenant,
    size      bigint NOT NULL CHECK (size > 0),
    key_id    bytea NOT NULL,
    origin    text NOT NULL,
    root      bytea NOT NULL,
    signature bytea NOT NULL,
    sealed_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, size, key_id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['receipt_unsealed', 'log_leaf', 'log_tile', 'log_key', 'log_checkpoint'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['log_leaf', 'log_tile', 'log_key', 'log_checkpoint'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END
$$;
GRANT DELETE ON receipt_unsealed TO yidai_app;

CREATE FUNCTION mark_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO receipt_unsealed (tenant_id, decision_id) SELECT tenant_id, decision_id FROM written;
    RETURN NULL;
END
$$;
CREATE TRIGGER unsealed AFTER INSERT ON decision REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION mark_unsealed();

-- What was decided before is sealed too.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('yidai.tenant', name, true);
        INSERT INTO receipt_unsealed SELECT tenant_id, decision_id FROM decision WHERE tenant_id = name;
    END LOOP;
    PERFORM set_config('yidai.tenant', '', true);
END
$$;
