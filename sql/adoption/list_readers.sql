-- The functions of theirs in whose source a column stands together with its table, and the triggers and policies that depend on a
-- column: each with the column.
-- The columns are %(names)s of the tables %(tables)s in the same places (schema.table).
-- Functions of ours are %(known)s (schema.name). Only a person can tell what these do with the column.
SELECT DISTINCT p.oid::regprocedure::text AS reader, w.table_name || '.' || w.name AS name
FROM unnest(%(tables)s::text[], %(names)s::text[]) AS w (table_name, name)
INNER JOIN pg_proc AS p
    ON p.prosrc ~ ('\m' || split_part(w.table_name, '.', 2) || '\M') AND p.prosrc ~ ('\m' || w.name || '\M')
INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
WHERE
    n.nspname NOT IN ('pg_catalog', 'information_schema', 'yumai_pipelines')
    AND NOT n.nspname || '.' || p.proname = ANY(%(known)s::text[])
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION
SELECT pg_describe_object(d.classid, d.objid, d.objsubid), w.table_name || '.' || w.name
FROM unnest(%(tables)s::text[], %(names)s::text[]) AS w (table_name, name)
INNER JOIN pg_attribute AS a ON a.attrelid = to_regclass(w.table_name) AND a.attname = w.name
INNER JOIN pg_depend AS d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
WHERE d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass)
ORDER BY 1, 2
