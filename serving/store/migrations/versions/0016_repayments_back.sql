DROP FUNCTION end_offers(text, bigint, text);
DROP TABLE repayment;
ALTER TABLE offer DROP COLUMN held_fen;
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
