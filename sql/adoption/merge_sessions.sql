-- Brings what the tables say of a session together, in the order of the ids: from its first activity to its last, open while
-- that is less than a day before {as_of}. One with several users is that of the user of its first conversation that names one,
-- else of the first other row. What is said of it is chosen by the first of the tables that know it.
-- It makes the table, since only then is the work shared among several workers. A crash of the server may empty it, and a
-- vacuum would be in the way when it is dropped.
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
