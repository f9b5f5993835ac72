-- The triggers of theirs that a new or changed row of %(tables)s, or of a partition of these, would fire: table, name, in which
-- sessions (O: in those of applications; A: in those of replication, too; R: in those alone), and for which rows.
SELECT
    format('%%s.%%s', n.nspname, c.relname) AS relation,
    quote_ident(t.tgname) AS name,
    t.tgenabled AS enabled,
    -- Bit 4: it fires on UPDATE; bit 2: on INSERT.
    t.tgtype & 16 <> 0 AS for_changed,
    t.tgtype & 4 <> 0 AS for_new
FROM pg_trigger AS t
INNER JOIN pg_class AS c ON t.tgrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D' AND t.tgname NOT LIKE 'yumai\_%%'
    AND t.tgtype & (16 | 4) <> 0
    AND EXISTS (
        SELECT FROM unnest(%(tables)s::text[]) AS w (name)
        WHERE
            c.oid = to_regclass(w.name)
            OR c.oid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = to_regclass(w.name))
    )
ORDER BY 1, 2
