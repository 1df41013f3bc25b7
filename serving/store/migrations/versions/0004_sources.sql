-- When each source delivered last and how long it may be silent, µs: shared by all tenants, as the lake is. From
-- last_known + allowed on decisions do without it; that needs nobody to look at the clock.
CREATE TABLE source_delivery (
    dataset    text PRIMARY KEY,
    last_known bigint NOT NULL,
    allowed    bigint NOT NULL CHECK (allowed > 0),
    judged_at  bigint NOT NULL
);
GRANT SELECT ON source_delivery TO yidai_app;
GRANT UPDATE (last_known) ON source_delivery TO yidai_app;
