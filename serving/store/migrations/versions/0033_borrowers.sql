-- Empty where the purpose says all.
ALTER TABLE access_log ADD COLUMN reason text NOT NULL DEFAULT '';
CREATE INDEX alert_of_borrower ON alert (tenant_id, subject_id);
