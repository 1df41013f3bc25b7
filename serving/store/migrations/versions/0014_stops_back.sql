DROP TABLE approval_stop;
