-- Tables whose changes are mirrored, except those in the schema %(workshop)s, which are dropped as a whole.
SELECT DISTINCT n.nspname, c.relname
  FROM pg_trigger AS t
  JOIN pg_class AS c ON c.oid = t.tgrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE t.tgname IN ('yumai_mirror_rows', 'yumai_mirror_truncate')
   AND n.nspname <> %(workshop)s
