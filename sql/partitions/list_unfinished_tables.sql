-- Tables of the schema %(workshop)s whose comment is %(mark)s: a run built them, but did not finish with them.
SELECT c.relname
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(workshop)s
   AND c.relkind = 'r'
   AND obj_description(c.oid, 'pg_class') = %(mark)s
 ORDER BY c.relname
