CREATE OR REPLACE FUNCTION yumai_pipelines.row_as_jsonb(p_row anyelement)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_columns text;
    v_row jsonb;
BEGIN
    -- json keeps what jsonb refuses: \u0000, half a surrogate pair, 1e999999, more levels than the stack allows. Only the
    -- last is an error that pg_input_is_valid does not catch.
    SELECT string_agg(
        CASE
            WHEN a.atttypid = 'json'::regtype
                THEN format(
                    'CASE WHEN length(s.%1$I::text) - length(translate(s.%1$I::text, ''[{'', '''')) <= 1000 '
                    'AND pg_input_is_valid(s.%1$I::text, ''jsonb'') '
                    'THEN s.%1$I::text::jsonb ELSE to_jsonb(s.%1$I::text) END AS %1$I',
                    a.attname
                )
            ELSE format('s.%I', a.attname)
        END,
        ', ' ORDER BY a.attnum
    )
    INTO v_columns
    FROM pg_type AS t
    INNER JOIN pg_attribute AS a ON a.attrelid = t.typrelid
    WHERE t.oid = pg_typeof(p_row) AND a.attnum > 0 AND NOT a.attisdropped;
    -- OFFSET 0 keeps the planner from casting constants, whichever branch they are in.
    EXECUTE format('SELECT to_jsonb(r) FROM (SELECT %s FROM (SELECT ($1).* OFFSET 0) AS s) AS r', v_columns)
    INTO v_row USING p_row;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.row_as_jsonb(anyelement) IS
'A row of a table as jsonb, by column, for the quarantine; json that jsonb cannot hold becomes a string.';
