ALTER TABLE approval_stop DROP CONSTRAINT approval_stop_kind_check;
ALTER TABLE approval_stop ADD CONSTRAINT approval_stop_kind_check CHECK (kind IN ('all', 'product', 'model')) NOT VALID;
