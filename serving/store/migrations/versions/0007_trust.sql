-- The sources whose last deliveries are too poor to decide by, and the score that says so: shared by all tenants.
CREATE TABLE source_poor (
    dataset   text PRIMARY KEY,
    score     text NOT NULL,
    value     double precision NOT NULL,
    least     double precision NOT NULL,
    rows      bigint NOT NULL,
    judged_at bigint NOT NULL
);
GRANT SELECT ON source_poor TO yidai_app;
