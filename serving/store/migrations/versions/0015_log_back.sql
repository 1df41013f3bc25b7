DROP TRIGGER unsealed ON decision;
DROP FUNCTION mark_unsealed;
DROP TABLE receipt_unsealed, log_leaf, log_tile, log_key, log_checkpoint;
