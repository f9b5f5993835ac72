-- The partitions of %(parent)s with their bounds as instants, the default partition last.
-- pg_get_expr prints bounds in the session's TimeZone and DateStyle, and the casts read them in the same ones. The caller
-- sets DateStyle to ISO, in which the offset from UTC is a number. A bound that is not finite is NULL.
SELECT n.nspname,
       c.relname,
       bounds.expression = 'DEFAULT' AS is_default,
       CASE WHEN isfinite(bounds.lower) THEN bounds.lower END AS lower,
       CASE WHEN isfinite(bounds.upper) THEN bounds.upper END AS upper,
       greatest(c.reltuples, 0)::bigint AS rows_estimate,
       pg_total_relation_size(c.oid) AS bytes
  FROM pg_inherits AS i
  JOIN pg_class AS c ON c.oid = i.inhrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) AS bound
 CROSS JOIN LATERAL (
        SELECT bound.text AS expression,
               substring(bound.text FROM $$FROM \('([^']+)'\)$$)::timestamptz AS lower,
               substring(bound.text FROM $$TO \('([^']+)'\)$$)::timestamptz AS upper
       ) AS bounds
 WHERE i.inhparent = %(parent)s::regclass
   AND NOT i.inhdetachpending
 ORDER BY is_default, bounds.lower NULLS FIRST
