-- Combines what the tables say of each session. A session lasts from its first activity to its last, and is open when the last
-- is less than 24 hours before {as_of}. If its rows name several users, it gets the user of its first conversation that names
-- one, or else of the first row in the next table that does. The first table that has the session decides its metadata.
-- CREATE TABLE AS is used because only that runs in parallel workers. The table is unlogged, so a crash of the server may empty
-- it, and autovacuum is off, since it would block the DROP. The rows are in the order of the ids.
CREATE UNLOGGED TABLE yumai_pipelines.adoption_sessions WITH (autovacuum_enabled = FALSE) AS
SELECT
    a.session_id,
    (array_agg(a.user_id ORDER BY a.source) FILTER (WHERE a.user_id IS NOT NULL))[1] AS user_id,
    min(a.first_at) AS session_start,
    CASE WHEN max(a.last_at) <= {as_of} - interval '24 hours' THEN max(a.last_at) END AS session_end,
    max(a.last_at) > {as_of} - interval '24 hours' AS is_active,
    ({metadata})[min(a.source)] AS session_metadata
FROM ({activity}) AS a
GROUP BY a.session_id
ORDER BY a.session_id
