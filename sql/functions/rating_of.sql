CREATE OR REPLACE FUNCTION extracts.rating_of(p_feedback_content jsonb)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- CASE, not AND: only its branches are sure not to be evaluated when they need not be.
    SELECT CASE WHEN number.value BETWEEN 1 AND 5 THEN number.value END
    FROM (
        SELECT CASE
            WHEN jsonb_typeof(p_feedback_content) <> 'object' THEN NULL
            WHEN jsonb_typeof(p_feedback_content -> 'rating') = 'number'
                THEN (p_feedback_content ->> 'rating')::numeric
            WHEN p_feedback_content ->> 'rating' ~ '^\s*[0-9](\.[0-9]{1,6})?\s*$'
                AND jsonb_typeof(p_feedback_content -> 'rating') = 'string'
                THEN (p_feedback_content ->> 'rating')::numeric
        END AS value
    ) AS number
$$;
COMMENT ON FUNCTION extracts.rating_of(jsonb) IS
'The rating in a feedback''s content, 1 to 5, from a number or from text that is one; NULL where it is absent or anything else.';
