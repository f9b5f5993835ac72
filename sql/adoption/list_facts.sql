-- What the kinds of differences depend on besides the objects: columns that a view or a rule reads, as schema.table.column, and
-- the tables and views in the schema public.
SELECT DISTINCT 'read by a view' AS what, format('%s.%s.%s', n.nspname, c.relname, a.attname) AS name
FROM pg_depend AS d
INNER JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
INNER JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND r.ev_class <> c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
UNION ALL
SELECT 'in public', c.relname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
