-- Counts the recommendations, and those whose selection cannot be read. The table has no months.
SELECT
    {place} AS place,
    count(*) AS rows,
    count(*) FILTER (WHERE NOT extracts.is_readable(t.user_selection)) AS unreadable
FROM analytics.recommendations_log AS t
WHERE {scope}
GROUP BY 1
