-- Built months whose logs have changed since, or that were built, or found to have changed, within a week. One row per month, in
-- order.
SELECT l.month
FROM extracts.ledger AS l
LEFT JOIN extracts.changed_months AS c ON c.month = l.month
GROUP BY l.month
HAVING
    count(c.month) > 0
    OR greatest(max(l.built_at), max(l.late_at)) > now() - interval '7 days'
ORDER BY l.month
