DROP TABLE erasure, dispute, record_tail, record_counter;
ALTER TABLE subject_timeline DROP COLUMN tail;
