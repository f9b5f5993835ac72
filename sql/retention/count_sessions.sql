-- The number of sessions that ended from %(lower_bound)s up to %(upper_bound)s. One row.
SELECT count(*) AS sessions
FROM chatbot.session_master AS s
WHERE s.session_end >= %(lower_bound)s AND s.session_end < %(upper_bound)s
