-- The foreign keys of %(table)s, in the order of their columns, which is the order in which their tables are locked.
SELECT k.conname, pg_get_constraintdef(k.oid) AS definition, n.nspname, r.relname
  FROM pg_constraint AS k
  JOIN pg_class AS r ON r.oid = k.confrelid
  JOIN pg_namespace AS n ON n.oid = r.relnamespace
 WHERE k.conrelid = %(table)s::regclass
   AND k.contype = 'f'
 ORDER BY k.conkey, k.conname
