CREATE OR REPLACE FUNCTION yumai_pipelines.watch_sources()
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_trigger record;
    v_mended integer := 0;
BEGIN
    -- DISABLE TRIGGER ALL and then ENABLE TRIGGER ALL, as by pg_restore --disable-triggers, leaves a trigger that fires not
    -- always, but by session_replication_role: that tells that it was off.
    FOR v_trigger IN
        SELECT
            t.tgrelid::regclass AS relation,
            t.tgname
        FROM pg_trigger AS t
        INNER JOIN pg_proc AS p ON t.tgfoid = p.oid
        WHERE
            p.pronamespace = 'yumai_pipelines'::regnamespace
            AND p.proname IN (
                'note_recommendation_changes', 'note_feedback_changes', 'note_shop_change', 'note_session_change',
                'note_truncation'
            )
            AND t.tgenabled <> 'A'
        ORDER BY 1, 2
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', v_trigger.relation, v_trigger.tgname);
        v_mended := v_mended + 1;
    END LOOP;
    IF v_mended > 0 THEN
        PERFORM yumai_pipelines.note_every_month();
    END IF;
    RETURN v_mended;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.watch_sources() IS
'Switches the triggers that note changes of the logs on again, and has every month of the extracts built once more if one was off. Returns how many were.';
