-- The rows of {partition} by their month in %(timezone)s, the earliest first.
SELECT
    to_char(t.conversation_time AT TIME ZONE %(timezone)s, 'YYYY-MM') AS month,
    count(*) AS rows
FROM {partition} AS t
GROUP BY 1
ORDER BY min(t.conversation_time)
