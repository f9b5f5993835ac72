CREATE OR REPLACE FUNCTION extracts.is_readable(p_selection json)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- json keeps what jsonb refuses, such as \u0000, and ->> then fails too. What is nested deeper than the stack allows is
    -- refused with an error that pg_input_is_valid does not catch; it has as many brackets.
    SELECT CASE
        WHEN
            octet_length(p_selection::text) > 2000
            AND length(p_selection::text) - length(translate(p_selection::text, '[{', '')) > 1000
            THEN FALSE
        ELSE pg_input_is_valid(p_selection::text, 'jsonb')
    END
$$;
COMMENT ON FUNCTION extracts.is_readable(json) IS
'Whether a value of JSON can be read: it is nested no deeper than the stack allows, and is JSON that jsonb takes; NULL of NULL.';
