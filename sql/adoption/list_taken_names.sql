-- Relations of theirs whose names ours are to get: one sentence each, with what to do. What ours get is %(names)s
-- (schema.name); an index of one of %(tables)s, the table in the same place there, may have its name already. %(months)s says
-- which are months of the conversations.
SELECT
    format(
        '%%I.%%I is the name of something that the adoption makes: ALTER %%s %%I.%%I RENAME TO %%I%%s.',
        n.nspname, c.relname,
        CASE c.relkind
            WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE'
        END,
        n.nspname, c.relname, left(c.relname, 56) || '_older',
        CASE WHEN w.is_month THEN '; or attach it, if it holds that month' ELSE '' END
    ) AS complaint
FROM unnest(%(names)s::text[], %(tables)s::text[], %(months)s::boolean[]) AS w (name, table_name, is_month)
INNER JOIN pg_namespace AS n ON n.nspname = split_part(w.name, '.', 1)
INNER JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = split_part(w.name, '.', 2)
WHERE NOT EXISTS (SELECT FROM pg_index AS x WHERE x.indexrelid = c.oid AND x.indrelid = to_regclass(w.table_name))
ORDER BY n.nspname, c.relname
