DROP TABLE escalation;
ALTER TABLE dispute DROP COLUMN level;
ALTER TABLE review_case DROP COLUMN level;
