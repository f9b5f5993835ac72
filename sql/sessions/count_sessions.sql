-- Counts of the sessions, in one row. Section 7.3 of the database document. Days begin at midnight in %(timezone)s.
WITH today AS (
    SELECT date_trunc('day', now() AT TIME ZONE %(timezone)s) AT TIME ZONE %(timezone)s AS began
)

SELECT
    count(*) FILTER (WHERE s.is_active = TRUE) AS active,
    count(*) FILTER (WHERE s.is_active = FALSE) AS inactive,
    count(*) AS total,
    count(*) FILTER (WHERE s.session_start >= t.began) AS started_today,
    count(*) FILTER (WHERE s.session_end >= t.began) AS ended_today,
    count(*) FILTER (WHERE s.is_active = TRUE AND s.session_start < t.began) AS active_since_before_today,
    count(DISTINCT s.user_id) FILTER (WHERE s.session_start >= t.began) AS users_today,
    count(*) FILTER (WHERE s.session_metadata @> '{"recovered": true}') AS recovered,
    (SELECT count(*) FROM yumai_pipelines.quarantine) AS rows_in_quarantine
FROM chatbot.session_master AS s
CROSS JOIN today AS t
