-- Counts the conversations, and those that name another user than their session does. One row per month, by the month's place
-- among the bounds.
SELECT
    {place} AS place,
    count(*) AS rows,
    count(*) FILTER (
        WHERE t.user_id IS DISTINCT FROM s.user_id AND t.user_id IS NOT NULL AND s.session_id IS NOT NULL
    ) AS other_users
FROM chatbot.conversations AS t
LEFT JOIN chatbot.session_master AS s ON s.session_id = t.session_id
WHERE {scope}
GROUP BY 1
