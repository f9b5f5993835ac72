-- The sessions of rows of {table} that session_master lacks, or that a trigger has created for a row that is not their
-- first. One row per session, in one pass over the table. Where rows of a session name several users, the user of the first
-- is looked up.
SELECT
    t.session_id,
    {source} AS source,
    min({time}) AS first_at,
    max({time}) AS last_at,
    CASE
        WHEN min(t.user_id) = max(t.user_id) THEN min(t.user_id)
        WHEN min(t.user_id) < max(t.user_id)
            THEN (
                SELECT f.user_id FROM {table} AS f
                WHERE f.session_id = t.session_id AND f.user_id IS NOT NULL
                ORDER BY f.{column}
                LIMIT 1
            )
    END AS user_id
FROM {table} AS t
LEFT JOIN chatbot.session_master AS s ON t.session_id = s.session_id
WHERE
    t.session_id IS NOT NULL
    AND (s.session_id IS NULL OR (s.session_metadata ->> 'why' = {by_trigger} AND s.session_start > {time}))
GROUP BY t.session_id
