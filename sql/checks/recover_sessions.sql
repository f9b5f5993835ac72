-- Gives the rows of {table} that have no session one again, closed, and marked as recovered.
INSERT INTO {referenced} AS s (session_id, user_id, session_start, session_end, is_active, session_metadata)
SELECT
    t.{column},
    CASE WHEN count(DISTINCT u.id) = 1 THEN min(u.id) END,
    min(t.{time}),
    max(t.{time}),
    FALSE,
    jsonb_build_object('recovered', TRUE)
FROM {table} AS t
LEFT JOIN {users} AS u ON u.id = t.user_id
WHERE
    NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})
    AND {scope}
GROUP BY t.{column}
