ALTER TABLE artifact DROP CONSTRAINT artifact_kind_check;
ALTER TABLE artifact ADD CONSTRAINT artifact_kind_check
    CHECK (kind IN ('policy', 'definitions', 'bundle', 'signals', 'scale', 'list', 'classes')) NOT VALID;
