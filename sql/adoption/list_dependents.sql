-- What depends on column %(column)s of %(table)s, except its default, the indexes %(indexes)s and the adoption's triggers.
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent
FROM pg_depend AS d
INNER JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE
    d.refclassid = 'pg_class'::regclass
    AND d.refobjid = %(table)s::regclass
    AND a.attname = %(column)s
    AND NOT EXISTS (
        SELECT FROM pg_attrdef AS f
        WHERE d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid AND f.adrelid = a.attrelid AND f.adnum = a.attnum
    )
    AND NOT EXISTS (
        SELECT FROM pg_trigger AS t
        WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid AND t.tgname LIKE 'yumai%%'
    )
    AND NOT EXISTS (
        SELECT FROM unnest(%(indexes)s::text[]) AS i (name)
        WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass(i.name)
    )
ORDER BY 1
