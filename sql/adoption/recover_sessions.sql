-- Makes the sessions, of a range of ids, that rows of the four tables belong to and that session_master
-- does not have: from their first activity to their last, open while that is less than a day before %(as_of)s.
-- A session with several users is that of the user of its first conversation that names one, else of the first other row.
-- A session that a trigger made for a later row begins where its first row does.
WITH lacking AS (
    SELECT a.session_id, a.user_id, a.at, a.source, a.name
    FROM {activity} AS a
    LEFT JOIN chatbot.session_master AS s ON s.session_id = a.session_id
    WHERE s.session_id IS NULL OR (s.session_metadata ->> 'why' = %(by_trigger)s AND s.session_start > a.at)
)

INSERT INTO chatbot.session_master AS s (session_id, user_id, session_start, session_end, is_active, session_metadata)
SELECT
    l.session_id,
    (array_agg(l.user_id ORDER BY l.source, l.at) FILTER (WHERE l.user_id IS NOT NULL))[1],
    min(l.at),
    CASE WHEN max(l.at) <= %(as_of)s - interval '24 hours' THEN max(l.at) END,
    max(l.at) > %(as_of)s - interval '24 hours',
    jsonb_build_object(
        'recovered', TRUE,
        'from', (array_agg(l.name ORDER BY l.source))[1],
        'why', CASE WHEN min(l.source) = 0 THEN %(why)s ELSE 'no conversation has this session' END
    )
FROM lacking AS l
GROUP BY l.session_id
ON CONFLICT (session_id) DO UPDATE
SET
    session_start = least(s.session_start, excluded.session_start),
    user_id = coalesce(excluded.user_id, s.user_id)
WHERE s.session_start > excluded.session_start
