DROP INDEX alert_of_borrower;
ALTER TABLE access_log DROP COLUMN reason;
