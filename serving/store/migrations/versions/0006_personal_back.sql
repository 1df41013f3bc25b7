DROP FUNCTION personal_texts_of(bigint);
