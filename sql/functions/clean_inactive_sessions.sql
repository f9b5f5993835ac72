CREATE OR REPLACE FUNCTION chatbot.clean_inactive_sessions(
    p_inactive_for interval DEFAULT '24 hours',
    p_as_of timestamptz DEFAULT now()
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_cleaned integer;
BEGIN
    WITH started_before AS (
        -- A session that somebody is changing at this moment is not inactive.
        SELECT s.session_id, s.session_start
        FROM chatbot.session_master AS s
        WHERE s.is_active AND s.session_start < p_as_of - p_inactive_for
        FOR NO KEY UPDATE SKIP LOCKED
    ),

    last_seen AS MATERIALIZED (
        SELECT s.session_id, greatest(s.session_start, activity.last_at) AS last_at
        FROM started_before AS s
        CROSS JOIN LATERAL (
            SELECT greatest(
                -- From here on `make schema` writes, from the registry: the last row of each table with a session.
                (
                    SELECT max(t.conversation_time) FROM chatbot.conversations AS t
                    WHERE t.session_id = s.session_id
                ),
                (
                    SELECT max(t.time_stamp) FROM ml_features.user_interactions AS t
                    WHERE t.session_id = s.session_id
                ),
                (
                    SELECT max(t.time_stamp) FROM analytics.recommendations_log AS t
                    WHERE t.session_id = s.session_id
                ),
                (
                    SELECT max(t.time_stamp) FROM analytics.user_feedback AS t
                    WHERE t.session_id = s.session_id
                )
                -- Up to here.
            ) AS last_at
        ) AS activity
    )

    UPDATE chatbot.session_master AS s
    SET is_active = FALSE, session_end = l.last_at
    FROM last_seen AS l
    WHERE l.session_id = s.session_id AND l.last_at <= p_as_of - p_inactive_for;
    GET DIAGNOSTICS v_cleaned = ROW_COUNT;
    RETURN v_cleaned;
END
$$;
COMMENT ON FUNCTION chatbot.clean_inactive_sessions(interval, timestamptz) IS
'Closes the open sessions that started, and were last heard of in any table with a session, so long ago; session_end becomes their last activity. Section 5.1. Returns how many.';
