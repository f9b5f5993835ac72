-- Each of the months %(months)s (their first days) with each of the extracts %(extracts)s: what the ledger says of it, and what
-- has changed in the logs since it was built. One row per extract and month; `built_at` is NULL where it was never built, and
-- `purged_at` says when retention last deleted rows of the month.
SELECT
    wanted.extract,
    month.month,
    l.built_at,
    l.checks_passed,
    l.code_version,
    l.min_group_users,
    (SELECT max(p.purged_at) FROM extracts.ledger AS p WHERE p.month = month.month) AS purged_at,
    coalesce(c.recommendations, 0) AS recommendations,
    coalesce(c.feedback, 0) AS feedback,
    c.changed_since
FROM unnest(%(extracts)s::text[]) AS wanted (extract)
CROSS JOIN unnest(%(months)s::date[]) AS month (month)
LEFT JOIN extracts.ledger AS l ON l.extract = wanted.extract AND l.month = month.month
LEFT JOIN extracts.changed_months AS c ON c.month = month.month
ORDER BY month.month, wanted.extract
