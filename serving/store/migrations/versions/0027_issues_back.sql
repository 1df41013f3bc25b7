DROP TABLE model_issue;
