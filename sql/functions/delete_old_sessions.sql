CREATE OR REPLACE FUNCTION chatbot.delete_old_sessions(
    p_days integer DEFAULT 30,
    p_limit integer DEFAULT NULL,
    p_as_of timestamptz DEFAULT now()
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_deleted integer;
BEGIN
    IF p_days IS NULL OR p_days < 0 OR p_limit < 0 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('delete_old_sessions: p_days is %s and p_limit is %s', p_days, p_limit),
            HINT = 'Both are numbers from 0 on; p_limit may be NULL, which means all at once.';
    END IF;
    DELETE FROM chatbot.session_master
    WHERE session_id IN (
        SELECT s.session_id
        FROM chatbot.session_master AS s
        WHERE s.session_end < p_as_of - make_interval(days => p_days)
        ORDER BY s.session_end
        LIMIT p_limit
    );
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;
COMMENT ON FUNCTION chatbot.delete_old_sessions(integer, integer, timestamptz) IS
'Deletes the sessions that ended more than p_days days ago, the oldest first, at most p_limit of them, with all that hangs on them. Section 7.2. Returns how many.';
