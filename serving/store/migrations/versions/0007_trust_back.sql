DROP TABLE source_poor;
