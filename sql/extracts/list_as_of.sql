-- The built months of the extract %(extract)s: as of when they are, and since when their logs have changed. One row per month, in
-- order.
SELECT
    l.month,
    coalesce(l.as_of, l.built_at) AS as_of,
    c.changed_since,
    l.purged_at IS NOT NULL AS purged
FROM extracts.ledger AS l
LEFT JOIN extracts.changed_months AS c ON c.month = l.month
WHERE l.extract = %(extract)s
ORDER BY l.month
