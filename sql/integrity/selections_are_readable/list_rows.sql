-- Recommendations whose selection cannot be read, with its length; the value itself may have megabytes.
SELECT t.id, t.time_stamp, t.session_id, octet_length(t.user_selection::text) AS octets
FROM analytics.recommendations_log AS t
WHERE NOT extracts.is_readable(t.user_selection) AND {scope}
ORDER BY t.id
