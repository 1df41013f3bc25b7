DROP FUNCTION name_of_actor;
DROP TABLE access_log;
