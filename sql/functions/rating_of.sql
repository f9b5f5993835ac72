CREATE OR REPLACE FUNCTION extracts.rating_of(p_feedback_content jsonb)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- One CASE: only its branches are sure not to be evaluated when they need not be, and a bare expression is inlined
    -- into the statements that call it. [ \t\n\r], not \s: that takes spaces, such as U+3000, which the cast refuses.
    SELECT CASE
        WHEN jsonb_typeof(p_feedback_content -> 'rating') = 'number'
            THEN CASE
                WHEN (p_feedback_content ->> 'rating')::numeric BETWEEN 1 AND 5
                    THEN (p_feedback_content ->> 'rating')::numeric
            END
        WHEN
            jsonb_typeof(p_feedback_content -> 'rating') = 'string'
            AND p_feedback_content ->> 'rating' ~ '^[ \t\n\r]*([1-4](\.[0-9]{1,6})?|5(\.0{1,6})?)[ \t\n\r]*$'
            THEN (p_feedback_content ->> 'rating')::numeric
    END
$$;
COMMENT ON FUNCTION extracts.rating_of(jsonb) IS
'The rating in a feedback''s content, 1 to 5, from a number or from text that is one; NULL where it is absent or anything else.';
