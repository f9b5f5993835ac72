-- Numbers of users and shops, and budgets, may be bigint in an adopted database. Callers with an integer go on as they are.
DO $$
DECLARE
    v_signature text;
    v_view text;
BEGIN
    -- With both, a call with NULL or an untyped literal would be ambiguous.
    FOREACH v_signature IN ARRAY ARRAY[
        'chatbot.start_session(integer, character varying, jsonb, inet, text)',
        'chatbot.get_shop_hours(integer, text)'
    ] LOOP
        CONTINUE WHEN to_regprocedure(v_signature) IS NULL;
        BEGIN
            EXECUTE format('DROP FUNCTION %s', v_signature);
        EXCEPTION
            -- A view or a function of theirs goes on calling it.
            WHEN dependent_objects_still_exist THEN
                EXECUTE format(
                    'ALTER FUNCTION %s RENAME TO %I',
                    v_signature, substring(v_signature FROM '\.(\w+)\(') || '_older'
                );
        END;
    END LOOP;

    -- The view of ours that reads the extract stays, with what depends on it, but does not read it for a moment.
    v_view := pg_get_viewdef('yumai_pipelines.changes_by_month'::regclass);
    CREATE OR REPLACE VIEW yumai_pipelines.changes_by_month AS
    SELECT
        c.id,
        NULL::date AS month,
        c.recommendations,
        c.feedback,
        c.noted_at,
        c.changed_by
    FROM yumai_pipelines.source_changes AS c;
    -- This rewrites the extract: who reads it waits, the chatbot does not.
    BEGIN
        ALTER TABLE extracts.recommendation_outcomes
        ALTER COLUMN request_budget TYPE bigint,
        ALTER COLUMN shop_id TYPE bigint;
    EXCEPTION
        -- A view of theirs reads it.
        WHEN feature_not_supported THEN
            RAISE NOTICE 'extracts.recommendation_outcomes is not widened: %', SQLERRM;
    END;
    EXECUTE 'CREATE OR REPLACE VIEW yumai_pipelines.changes_by_month AS ' || v_view;
END
$$;
