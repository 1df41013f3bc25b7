DROP TABLE loan_account;
