-- Built months that can be built again, and must be: their logs have changed since, or they are among %(also)s (their first
-- days). One row per month, in order.
SELECT l.month
FROM extracts.ledger AS l
LEFT JOIN extracts.changed_months AS c ON c.month = l.month
GROUP BY l.month
HAVING bool_and(l.purged_at IS NULL) AND (count(c.month) > 0 OR l.month = any(%(also)s::date[]))
ORDER BY l.month
