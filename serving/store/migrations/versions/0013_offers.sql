-- What an approval offers, written with its decision. An offer is open until it is accepted, declined or expired; an
-- accepted one is a line, of which is drawn until `line_until`, unless it is frozen. `holder` is whose cap it takes from.
CREATE TABLE offer (
    tenant_id   text NOT NULL REFERENCES tenant,
    decision_id uuid NOT NULL,
    subject_id  bigint NOT NULL,
    holder      bigint,
    product     text NOT NULL,
    limit_fen   bigint NOT NULL CHECK (limit_fen > 0),
    drawn_fen   bigint NOT NULL DEFAULT 0,
    line_months integer NOT NULL,
    made_at     bigint NOT NULL,
    valid_to    bigint NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'declined', 'expired')),
    settled_at  bigint,
    line_until  bigint,
    frozen_at   bigint,
    frozen_for  text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, decision_id) REFERENCES decision (tenant_id, decision_id),
    CHECK (drawn_fen BETWEEN 0 AND limit_fen),
    CHECK ((state = 'open') = (settled_at IS NULL)),
    CHECK ((state = 'accepted') = (line_until IS NOT NULL)),
    CHECK (state = 'accepted' OR (drawn_fen = 0 AND frozen_at IS NULL))
);
CREATE INDEX offer_ends ON offer (tenant_id, valid_to) WHERE state = 'open';
CREATE INDEX line_ends ON offer (tenant_id, line_until) WHERE state = 'accepted';

-- What was drawn of a line, and the decision `linked_id` that was made for it.
CREATE TABLE drawdown (
    tenant_id   text NOT NULL REFERENCES tenant,
    drawdown_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    key_hash    bytea NOT NULL,
    amount_fen  bigint NOT NULL CHECK (amount_fen > 0),
    left_fen    bigint NOT NULL CHECK (left_fen >= 0),
    linked_id   uuid NOT NULL,
    drawn_by    uuid NOT NULL,
    drawn_at    bigint NOT NULL,
    PRIMARY KEY (tenant_id, drawdown_id),
    UNIQUE (tenant_id, decision_id, key_hash),
    FOREIGN KEY (tenant_id, decision_id) REFERENCES offer (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, linked_id) REFERENCES decision (tenant_id, decision_id)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON drawdown
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['offer', 'drawdown'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_setting(''yidai.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''yidai.tenant'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO yidai_app', name);
    END LOOP;
END
$$;
GRANT UPDATE (limit_fen, drawn_fen, state, settled_at, line_until, frozen_at, frozen_for) ON offer TO yidai_app;

ALTER TABLE decision_link DROP CONSTRAINT decision_link_kind_check;
ALTER TABLE decision_link ADD CONSTRAINT decision_link_kind_check
    CHECK (kind IN ('person', 'again', 'drawdown', 'reapproval'));

-- End the open offers whose time is over, and give back what they hold of their caps; returns how many. Offers are
-- locked before budgets, and budgets in the order in which decisions reserve, so that nobody waits in a circle.
CREATE FUNCTION expire_offers(p_tenant text, p_now bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    ids uuid[];
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    SELECT array_agg(due.decision_id) INTO ids FROM (
        SELECT o.decision_id FROM offer o
        WHERE o.tenant_id = p_tenant AND o.state = 'open' AND o.valid_to <= p_now
        ORDER BY o.decision_id FOR UPDATE SKIP LOCKED
    ) due;
    PERFORM b.used FROM budget b
    WHERE b.tenant_id = p_tenant AND b.name = 'household'
      AND b.period IN (SELECT o.holder::text FROM offer o WHERE o.tenant_id = p_tenant AND o.decision_id = ANY (ids))
    ORDER BY b.period COLLATE "C" FOR UPDATE;
    UPDATE budget b SET used = greatest(b.used - gone.fen, 0)
    FROM (SELECT o.holder::text AS period, sum(o.limit_fen)::bigint AS fen FROM offer o
          WHERE o.tenant_id = p_tenant AND o.decision_id = ANY (ids) AND o.holder IS NOT NULL GROUP BY o.holder) gone
    WHERE b.tenant_id = p_tenant AND b.name = 'household' AND b.period = gone.period;
    UPDATE offer o SET state = 'expired', settled_at = p_now WHERE o.tenant_id = p_tenant AND o.decision_id = ANY (ids);
    RETURN coalesce(cardinality(ids), 0);
END
$$;
