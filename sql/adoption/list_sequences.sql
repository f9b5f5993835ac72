-- The plain sequences of theirs that number rows of the tables %(tables)s: those that a column's default names and no column
-- owns, and that yumai_pipeline may not set.
SELECT DISTINCT n.nspname, s.relname
FROM pg_attrdef AS f
INNER JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
INNER JOIN pg_class AS s ON d.refobjid = s.oid AND s.relkind = 'S'
INNER JOIN pg_namespace AS n ON s.relnamespace = n.oid
WHERE
    f.adrelid = ANY(SELECT to_regclass(w.name) FROM unnest(%(tables)s::text[]) AS w (name))
    AND NOT EXISTS (
        SELECT FROM pg_depend AS o WHERE o.classid = 'pg_class'::regclass AND o.objid = s.oid AND o.deptype IN ('a', 'i')
    )
    -- In a CASE, since it fails for what is no sequence.
    AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege('yumai_pipeline', s.oid, 'UPDATE') END
ORDER BY 1, 2
