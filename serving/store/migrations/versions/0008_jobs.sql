-- What processes have to do beside answering: shared by all tenants, as lake and store are. A job that is being done
-- is one whose row is locked, so that whoever dies leaves it to the others; attempts are kept apart, because they
-- outlive a process that was killed in one.
CREATE TABLE job (
    job_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    key        text NOT NULL,
    payload    jsonb NOT NULL DEFAULT '{}',
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dead')),
    due_at     bigint NOT NULL,
    created_at bigint NOT NULL,
    ended_at   bigint,
    result     jsonb,
    error      text NOT NULL DEFAULT '',
    UNIQUE (kind, key),
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX job_due ON job (due_at, job_id) WHERE state = 'waiting';
CREATE INDEX job_ended ON job (kind, ended_at) WHERE state <> 'waiting';
CREATE TABLE job_attempt (
    job_id   bigint NOT NULL REFERENCES job ON DELETE CASCADE,
    begun_at bigint NOT NULL
);
CREATE INDEX job_attempt_of ON job_attempt (job_id);

CREATE FUNCTION tell_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('yidai_job', NEW.kind);
    RETURN NULL;
END
$$;
CREATE TRIGGER told AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION tell_of_job();

-- The application puts a job there in the transaction that makes it necessary, and sees none.
CREATE FUNCTION enqueue_job(p_kind text, p_key text, p_payload jsonb, p_now bigint) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    INSERT INTO job (kind, key, payload, due_at, created_at) VALUES (p_kind, p_key, p_payload, p_now, p_now)
    ON CONFLICT (kind, key) DO NOTHING
$$;
REVOKE ALL ON FUNCTION enqueue_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enqueue_job TO yidai_app;
