-- The built months of one extract: the build, as microseconds since 1970, the rows that it has now, whether it passed its checks,
-- and the last erasure.
SELECT
    l.month,
    (extract(EPOCH FROM l.built_at) * 1000000)::bigint AS build,
    coalesce(e.number, 0) AS number,
    coalesce(l.checks_passed, FALSE) AS passed,
    (SELECT coalesce(max(d.id), 0) FROM yumai_pipelines.erasures AS d) AS erasure
FROM extracts.ledger AS l
LEFT JOIN (SELECT
    t.month,
    count(*) AS number
FROM {extract} AS t GROUP BY t.month) AS e ON l.month = e.month
WHERE l.extract = %(extract)s
ORDER BY l.month
