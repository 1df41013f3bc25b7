DROP FUNCTION watch_figures;
DROP FUNCTION ask_watch;
DROP INDEX loan_account_of;
DROP INDEX alert_of_subject;
DROP TABLE watch_queue;
DROP TABLE watched;
