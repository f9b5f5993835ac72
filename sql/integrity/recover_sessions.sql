-- Makes the sessions that these rows name. A session is closed, and lasts from the first to the last activity of its rows. It
-- belongs to the user of its rows if they name only one, and that user exists.
INSERT INTO chatbot.session_master AS s (session_id, user_id, session_start, session_end, is_active, session_metadata)
SELECT
    t.session_id,
    CASE WHEN count(DISTINCT t.user_id) = 1 THEN min(u.id) END,
    min(t.first_at),
    max(t.last_at),
    FALSE,
    jsonb_build_object(
        'recovered', TRUE,
        'from', string_agg(DISTINCT t.source, ', ' ORDER BY t.source),
        'why', 'its rows were there, and it was not',
        'run', {run_id}
    )
FROM ({knowledge}) AS t
LEFT JOIN chatbot.users AS u ON u.id = t.user_id
GROUP BY t.session_id
ON CONFLICT (session_id) DO NOTHING
