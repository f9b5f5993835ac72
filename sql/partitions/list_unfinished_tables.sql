-- Tables of the schema %(workshop)s whose comment is %(mark)s: what a run built and did not come to the end of.
SELECT c.relname
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(workshop)s
   AND c.relkind = 'r'
   AND obj_description(c.oid, 'pg_class') = %(mark)s
 ORDER BY c.relname
