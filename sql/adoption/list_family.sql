-- %(table)s and its partitions, the table first.
SELECT n.nspname, c.relname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    c.oid = %(table)s::regclass
    OR c.oid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = %(table)s::regclass AND NOT i.inhdetachpending)
ORDER BY c.oid <> %(table)s::regclass, n.nspname, c.relname
