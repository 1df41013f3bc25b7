-- Records that came one by one and are not in the lake yet: shared by all tenants, as the lake is. Their numbers
-- follow the order of commits without a gap, because whoever takes one holds the counter's row until it commits.
CREATE TABLE record_counter (last bigint NOT NULL);
INSERT INTO record_counter VALUES (0);
CREATE TABLE record_tail (
    seq        bigint PRIMARY KEY,
    dataset    text NOT NULL,
    subject_id bigint NOT NULL,
    row_hash   bigint NOT NULL,
    links      bigint[] NOT NULL,
    fields     text[] NOT NULL,
    data       bytea NOT NULL,
    sent_by    uuid NOT NULL,
    sent_at    bigint NOT NULL,
    UNIQUE (dataset, row_hash)
);
CREATE INDEX record_tail_of_subject ON record_tail (subject_id, seq);
CREATE INDEX record_tail_of_dataset ON record_tail (dataset, subject_id);
CREATE INDEX record_tail_links ON record_tail USING gin (links);
GRANT SELECT, UPDATE ON record_counter TO yidai_app;
GRANT SELECT, INSERT ON record_tail TO yidai_app;

-- What is online is filled again, with how far of the tail it saw.
DELETE FROM subject_timeline;
ALTER TABLE subject_timeline ADD COLUMN tail bigint NOT NULL DEFAULT 0;

-- Records that their subject disputes, and what came of it (REG-CR-09).
CREATE TABLE dispute (
    tenant_id   text NOT NULL REFERENCES tenant,
    dispute_id  uuid NOT NULL,
    subject_id  bigint NOT NULL,
    dataset     text NOT NULL,
    record_key  bigint NOT NULL,
    ground      text NOT NULL,
    raised_by   uuid NOT NULL,
    raised_at   bigint NOT NULL,
    due_at      bigint NOT NULL,
    verdict     text CHECK (verdict IN ('corrected', 'confirmed', 'withdrawn')),
    answered_by uuid,
    answered_at bigint,
    PRIMARY KEY (tenant_id, dispute_id),
    CHECK ((verdict IS NULL) = (answered_at IS NULL))
);
CREATE UNIQUE INDEX one_open_dispute ON dispute (tenant_id, dataset, subject_id, record_key) WHERE verdict IS NULL;

-- Who was erased, on whose word; no number, and nothing that leads to one.
CREATE TABLE erasure (
    tenant_id  text NOT NULL REFERENCES tenant,
    subject_id bigint NOT NULL,
    reason     text NOT NULL,
    erased_by  uuid NOT NULL,
    erased_at  bigint NOT NULL,
    PRIMARY KEY (subject_id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['dispute', 'erasure'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
    END LOOP;
END
$$;
GRANT SELECT, INSERT ON dispute TO yidai_app;
GRANT UPDATE (verdict, answered_by, answered_at) ON dispute TO yidai_app;
GRANT SELECT ON erasure TO yidai_app;
