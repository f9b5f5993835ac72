-- Which of the months %(months)s (their first days) the partitioned table %(extract)s has no partition for, in order. None if the
-- table is not partitioned. pg_get_expr prints bounds as the session prints dates, and the casts read them in the same way.
SELECT wanted.month
FROM pg_class AS p
CROSS JOIN unnest(%(months)s::date[]) AS wanted (month)
WHERE
    p.oid = %(extract)s::regclass
    AND p.relkind = 'p'
    AND NOT EXISTS (
        SELECT
        FROM pg_inherits AS i
        INNER JOIN pg_class AS c ON c.oid = i.inhrelid
        CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) AS bound
        WHERE
            i.inhparent = p.oid
            -- Without a bound: MINVALUE, MAXVALUE, or DEFAULT.
            AND wanted.month >= coalesce(substring(bound.text FROM $$FROM \('([^']+)'\)$$)::date, '-infinity')
            AND wanted.month < coalesce(substring(bound.text FROM $$TO \('([^']+)'\)$$)::date, 'infinity')
    )
ORDER BY wanted.month
