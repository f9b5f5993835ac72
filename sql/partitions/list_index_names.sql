-- Indexes of %(table)s that are named for the table's old name %(old)s, with the same for its new name %(new)s, where free.
SELECT n.nspname, c.relname, wanted.name
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT %(new)s || substr(c.relname, length(%(old)s) + 1) AS name) AS wanted
 WHERE i.indrelid = %(table)s::regclass
   AND starts_with(c.relname, %(old)s)
   AND to_regclass(format('%%I.%%I', n.nspname, wanted.name)) IS NULL
