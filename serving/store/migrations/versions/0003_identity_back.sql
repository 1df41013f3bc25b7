DROP TABLE identity_verdict;
DROP TABLE held_record;
DROP TABLE personal_text;
