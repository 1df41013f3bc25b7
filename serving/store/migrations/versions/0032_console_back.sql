DROP FUNCTION actor_of_session(bytea, bigint, bigint);
DROP TABLE failed_sign_in;
DROP TABLE provider_sign_in;
DROP TABLE console_session;
DROP TABLE linked_identity;
DROP TABLE account;
