-- Brings what the tables say of a session together, numbered in the order of their ids: from its first activity to its last,
-- open while that is less than a day before %(as_of)s. One with several users is that of the user of its first conversation
-- that names one, else of the first other row; %(why)s is what is said of those that have a conversation.
INSERT INTO yumai_pipelines.adoption_sessions
(session_id, user_id, session_start, session_end, is_active, session_metadata)
SELECT
    a.session_id,
    (array_agg(a.user_id ORDER BY a.source, a.first_at) FILTER (WHERE a.user_id IS NOT NULL))[1],
    min(a.first_at),
    CASE WHEN max(a.last_at) <= %(as_of)s - interval '24 hours' THEN max(a.last_at) END,
    max(a.last_at) > %(as_of)s - interval '24 hours',
    jsonb_build_object(
        'recovered', TRUE,
        'from', (array_agg(a.name ORDER BY a.source))[1],
        'why', CASE WHEN min(a.source) = 0 THEN %(why)s ELSE 'no conversation has this session' END
    )
FROM yumai_pipelines.adoption_activity AS a
GROUP BY a.session_id
ORDER BY a.session_id
