DROP FUNCTION schema_version();
DROP FUNCTION operating_figures(bigint);
