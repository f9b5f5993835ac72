-- The built months of the extracts named %(extracts)s: as of when the oldest of them is, since when the month's logs have
-- changed, and whether retention has deleted some of its logs. One row per month, in order.
SELECT
    l.month,
    min(coalesce(l.as_of, l.built_at)) AS as_of,
    min(c.changed_since) AS changed_since,
    bool_or(l.purged_at IS NOT NULL) AS purged
FROM extracts.ledger AS l
LEFT JOIN extracts.changed_months AS c ON c.month = l.month
WHERE l.extract = ANY(%(extracts)s)
GROUP BY l.month
ORDER BY l.month
