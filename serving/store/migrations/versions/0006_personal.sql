-- The application's role reaches personal texts by exact subject only, still sealed under the subject's key.
CREATE FUNCTION personal_texts_of(p_subject bigint) RETURNS TABLE (dataset text, field text, sealed bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.dataset, t.field, t.sealed FROM personal_text t WHERE t.subject_id = p_subject
    ORDER BY t.dataset, t.field, t.text_hash
$$;
REVOKE ALL ON FUNCTION personal_texts_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION personal_texts_of TO yidai_app;

-- Packed rows of an older form are read no more; the next sweep hydrates them anew.
DELETE FROM subject_timeline;
