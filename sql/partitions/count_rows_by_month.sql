-- Counts the rows of {partition} by their month in the time zone %(timezone)s, the earliest month first. The times 'infinity'
-- and '-infinity' are in no month, and are counted by themselves.
SELECT
    CASE
        WHEN isfinite(t.conversation_time) THEN to_char(t.conversation_time AT TIME ZONE %(timezone)s, 'YYYY-MM')
        ELSE t.conversation_time::text
    END AS month,
    count(*) AS rows
FROM {partition} AS t
GROUP BY 1
ORDER BY min(t.conversation_time)
