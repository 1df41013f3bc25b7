DROP FUNCTION id_of_actor;
DROP INDEX audit_log_of_actor;
