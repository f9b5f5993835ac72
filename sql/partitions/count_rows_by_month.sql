-- The rows of {partition} by their month in %(timezone)s, the earliest first; 'infinity' and '-infinity' are in none.
SELECT
    CASE
        WHEN isfinite(t.conversation_time) THEN to_char(t.conversation_time AT TIME ZONE %(timezone)s, 'YYYY-MM')
        ELSE t.conversation_time::text
    END AS month,
    count(*) AS rows
FROM {partition} AS t
GROUP BY 1
ORDER BY min(t.conversation_time)
