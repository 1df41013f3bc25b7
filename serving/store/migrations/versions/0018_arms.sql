-- The challenger's arm of an experiment can be stopped too, by a guardrail or by a person; `name` is the experiment.
ALTER TABLE approval_stop DROP CONSTRAINT approval_stop_kind_check;
ALTER TABLE approval_stop ADD CONSTRAINT approval_stop_kind_check CHECK (kind IN ('all', 'product', 'model', 'arm'));
