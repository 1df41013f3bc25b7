DROP TABLE source_delivery;
