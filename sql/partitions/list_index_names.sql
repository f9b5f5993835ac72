-- Indexes of %(table)s whose names begin with the table's old name %(old)s, and for each the same name with the new name
-- %(new)s instead. An index whose new name is taken is left out.
-- Looked up in the catalogue: to_regclass() fails in schemas that one may not look into, and some plans ask it of every index.
SELECT n.nspname, c.relname, wanted.name
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT %(new)s || substr(c.relname, length(%(old)s) + 1) AS name) AS wanted
 WHERE i.indrelid = %(table)s::regclass
   AND starts_with(c.relname, %(old)s)
   AND NOT EXISTS (SELECT FROM pg_class AS t WHERE t.relnamespace = c.relnamespace AND t.relname = wanted.name)
