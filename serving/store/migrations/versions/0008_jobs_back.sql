DROP FUNCTION enqueue_job(text, text, jsonb, bigint);
DROP TABLE job_attempt;
DROP TABLE job;
DROP FUNCTION tell_of_job();
