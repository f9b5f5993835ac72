-- What the kinds of differences depend on besides the objects: columns whose type cannot be changed in place, since a view, a
-- trigger, a policy, a publication, a function or a generated column reads them, as schema.table.column; and the tables and views
-- outside our schemas, with their schemas.
SELECT DISTINCT 'in use' AS what, format('%s.%s.%s', n.nspname, c.relname, a.attname) AS name, NULL AS schema
FROM pg_depend AS d
INNER JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE
    d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_publication_rel'::regclass, 'pg_proc'::regclass)
    OR (
        d.classid = 'pg_rewrite'::regclass
        AND EXISTS (SELECT FROM pg_rewrite AS r WHERE r.oid = d.objid AND r.ev_class <> c.oid)
    )
    OR (
        d.classid = 'pg_attrdef'::regclass
        AND EXISTS (
            SELECT FROM pg_attrdef AS f
            INNER JOIN pg_attribute AS g ON f.adrelid = g.attrelid AND f.adnum = g.attnum AND g.attgenerated <> ''
            WHERE f.oid = d.objid
        )
    )
UNION ALL
SELECT 'elsewhere', c.relname, n.nspname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname NOT IN ('information_schema', 'chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
    AND n.nspname !~ '^pg_'
