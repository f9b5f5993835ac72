CREATE OR REPLACE FUNCTION yumai_pipelines.note_archive_change()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO yumai_pipelines.archive_changes (month, operation) VALUES (TG_ARGV[0]::date, TG_OP);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_archive_change() IS
'Trigger of a detached month, whose first day is its argument: notes that a row was changed.';
