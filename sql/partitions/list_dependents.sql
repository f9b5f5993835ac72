-- What depends on %(table)s without being a part of it, so that PostgreSQL would refuse to drop the table: views, foreign
-- keys of other tables, functions. One row per object. A foreign key to the partitioned table leaves with the DETACH.
WITH RECURSIVE parts AS (
    SELECT
        'pg_class'::regclass::oid AS classid,
        %(table)s::regclass::oid AS objid
    UNION
    SELECT
        d.classid,
        d.objid
    FROM parts AS p
    INNER JOIN pg_depend AS d ON d.refclassid = p.classid AND d.refobjid = p.objid
    WHERE d.deptype IN ('a', 'i', 'P', 'S')
)

SELECT DISTINCT
    CASE
        WHEN r.oid IS NULL THEN pg_describe_object(d.classid, d.objid, 0)
        ELSE pg_describe_object('pg_class'::regclass, r.ev_class, 0)
    END AS dependent
FROM parts AS p
INNER JOIN pg_depend AS d ON d.refclassid = p.classid AND d.refobjid = p.objid
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
WHERE
    d.deptype = 'n'
    AND coalesce(c.conparentid, 0) = 0
    AND NOT EXISTS (SELECT FROM parts AS q WHERE q.classid = d.classid AND q.objid = d.objid)
ORDER BY 1
