-- Notes the sessions that rows of {table} belong to and that session_master does not have, or has from a later row on since a
-- trigger made them for it (%(by_trigger)s): one row per session, in one pass over the table.
INSERT INTO yumai_pipelines.adoption_activity (session_id, source, name, first_at, last_at, user_id)
SELECT
    t.session_id,
    {source},
    {name},
    min({time}),
    max({time}),
    (array_agg(t.user_id ORDER BY {time}) FILTER (WHERE t.user_id IS NOT NULL))[1]
FROM {table} AS t
LEFT JOIN chatbot.session_master AS s ON t.session_id = s.session_id
WHERE
    t.session_id IS NOT NULL
    AND (s.session_id IS NULL OR (s.session_metadata ->> 'why' = %(by_trigger)s AND s.session_start > {time}))
GROUP BY t.session_id
