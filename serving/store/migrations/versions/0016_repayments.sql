-- What an offer or line holds of its household's cap: all of it until principal is repaid or its time is over, and never
-- less than what is owed. `drawn_fen` is the principal that is owed.
ALTER TABLE offer ADD COLUMN held_fen bigint NOT NULL DEFAULT 0;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('yidai.tenant', name, true);
        UPDATE offer SET held_fen = limit_fen
        WHERE tenant_id = name AND holder IS NOT NULL AND state IN ('open', 'accepted');
    END LOOP;
    PERFORM set_config('yidai.tenant', '', true);
END
$$;
ALTER TABLE offer ADD CONSTRAINT offer_held_check CHECK (
    held_fen BETWEEN 0 AND limit_fen AND (holder IS NULL OR held_fen >= drawn_fen) AND (holder IS NOT NULL OR held_fen = 0)
);
GRANT UPDATE (held_fen) ON offer TO yidai_app;

-- Principal that came back of a line, and what was owed after it.
CREATE TABLE repayment (
    tenant_id    text NOT NULL REFERENCES tenant,
    repayment_id uuid NOT NULL,
    decision_id  uuid NOT NULL,
    key_hash     bytea NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    owed_fen     bigint NOT NULL CHECK (owed_fen >= 0),
    recorded_by  uuid NOT NULL,
    recorded_at  bigint NOT NULL,
    PRIMARY KEY (tenant_id, repayment_id),
    UNIQUE (tenant_id, decision_id, key_hash),
    FOREIGN KEY (tenant_id, decision_id) REFERENCES offer (tenant_id, decision_id)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON repayment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE repayment ENABLE ROW LEVEL SECURITY;
ALTER TABLE repayment FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON repayment USING (tenant_id = current_setting('yidai.tenant', true))
    WITH CHECK (tenant_id = current_setting('yidai.tenant', true));
GRANT SELECT, INSERT ON repayment TO yidai_app;

-- End the open offers whose time is over (p_reason NULL), or freeze the lines whose year is over; both give back what they
-- hold of their caps beyond what is owed. Returns how many ended or were frozen. Offers are locked before budgets, and
-- budgets in the order in which decisions reserve, so that nobody waits in a circle.
CREATE FUNCTION end_offers(p_tenant text, p_now bigint, p_reason text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    ids uuid[];
    fresh bigint;
BEGIN
    PERFORM set_config('yidai.tenant', p_tenant, true);
    SELECT array_agg(due.decision_id), count(*) FILTER (WHERE due.frozen_at IS NULL) INTO ids, fresh FROM (
        SELECT o.decision_id, o.frozen_at FROM offer o
        WHERE o.tenant_id = p_tenant AND (
            (p_reason IS NULL AND o.state = 'open' AND o.valid_to <= p_now)
            OR (p_reason IS NOT NULL AND o.state = 'accepted' AND o.line_until <= p_now
                AND (o.frozen_at IS NULL OR (o.holder IS NOT NULL AND o.held_fen > o.drawn_fen))))
        ORDER BY o.decision_id FOR UPDATE SKIP LOCKED
    ) due;
    PERFORM b.used FROM budget b
    WHERE b.tenant_id = p_tenant AND b.name = 'household'
      AND b.period IN (SELECT o.holder::text FROM offer o WHERE o.tenant_id = p_tenant AND o.decision_id = ANY (ids))
    ORDER BY b.period COLLATE "C" FOR UPDATE;
    UPDATE budget b SET used = greatest(b.used - gone.fen, 0)
    FROM (SELECT o.holder::text AS period, sum(o.held_fen - o.drawn_fen)::bigint AS fen FROM offer o
          WHERE o.tenant_id = p_tenant AND o.decision_id = ANY (ids) AND o.holder IS NOT NULL GROUP BY o.holder) gone
    WHERE b.tenant_id = p_tenant AND b.name = 'household' AND b.period = gone.period;
    UPDATE offer o SET held_fen = CASE WHEN o.holder IS NULL THEN 0 ELSE o.drawn_fen END,
        state = CASE WHEN p_reason IS NULL THEN 'expired' ELSE o.state END,
        settled_at = CASE WHEN p_reason IS NULL THEN p_now ELSE o.settled_at END,
        frozen_for = CASE WHEN p_reason IS NULL OR o.frozen_at IS NOT NULL THEN o.frozen_for ELSE ARRAY[p_reason] END,
        frozen_at = CASE WHEN p_reason IS NULL THEN o.frozen_at ELSE coalesce(o.frozen_at, p_now) END
    WHERE o.tenant_id = p_tenant AND o.decision_id = ANY (ids);
    RETURN coalesce(fresh, 0);
END
$$;
DROP FUNCTION expire_offers(text, bigint);
