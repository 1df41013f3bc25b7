ALTER TABLE artifact DROP CONSTRAINT artifact_kind_check;
ALTER TABLE artifact ADD CONSTRAINT artifact_kind_check
    CHECK (kind IN ('policy', 'definitions', 'bundle', 'signals', 'scale', 'list'));

-- An activation that is called off before it begins ends when it would have begun.
ALTER TABLE activation DROP CONSTRAINT activation_check;
ALTER TABLE activation ADD CONSTRAINT activation_check CHECK (active_to IS NULL OR active_to >= active_from);
