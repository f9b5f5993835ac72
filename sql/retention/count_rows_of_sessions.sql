-- The number of rows of {table} that belong to a session which ended from %(lower_bound)s up to %(upper_bound)s. One row.
SELECT count(*) AS of_sessions
FROM {table} AS t
INNER JOIN chatbot.session_master AS s ON s.session_id = t.{session}
WHERE s.session_end >= %(lower_bound)s AND s.session_end < %(upper_bound)s
