DROP TABLE promotion, evidence, model_entry;
