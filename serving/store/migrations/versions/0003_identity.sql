-- Names, addresses and phones under the subject's key; they go with the subject.
CREATE TABLE personal_text (
    subject_id  bigint NOT NULL REFERENCES subject (subject_id) ON DELETE CASCADE,
    dataset     text NOT NULL,
    field       text NOT NULL,
    text_hash   bytea NOT NULL,
    sealed      bytea NOT NULL,
    PRIMARY KEY (subject_id, dataset, field, text_hash)
);

-- Rows without a valid number: under a key of their own until they are linked, then under the subject's.
CREATE TABLE held_record (
    record_id    bytea PRIMARY KEY,
    dataset      text NOT NULL,
    subject_id   bigint REFERENCES subject (subject_id) ON DELETE CASCADE,
    wrapped_key  bytea,
    sealed       bytea NOT NULL,
    CHECK ((subject_id IS NULL) = (wrapped_key IS NOT NULL))
);
CREATE INDEX held_record_subject ON held_record (subject_id);

-- What was said of a record and a subject, in order; the last word on a pair holds. Nothing is taken back.
CREATE TABLE identity_verdict (
    entry        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id    bytea NOT NULL REFERENCES held_record ON DELETE CASCADE,
    subject_id   bigint NOT NULL REFERENCES subject (subject_id) ON DELETE CASCADE,
    verdict      text NOT NULL CHECK (verdict IN ('proposed', 'linked', 'refused', 'undone')),
    probability  double precision NOT NULL,
    agreement    jsonb NOT NULL,
    at           bigint NOT NULL,
    said_by      text NOT NULL,
    reason       text NOT NULL DEFAULT ''
);
CREATE INDEX identity_verdict_pair ON identity_verdict (record_id, subject_id, entry);
