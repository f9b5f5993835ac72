-- What of theirs on tables of ours and their partitions would end an adoption midway, or keep rows from it, apart from what has
-- files of its own: one sentence each, with what to do.
-- The tables are %(tables)s; foreign keys of ours refer to %(referenced)s.
-- Columns that get another type are %(converted)s (schema.table.column).
-- Names of ours are the types %(types)s and the functions %(functions)s (schema.name).
WITH tables AS (
    SELECT
        c.oid, c.relreplident, c.relpersistence, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
        format('%%I.%%I', n.nspname, c.relname) AS name, coalesce(w.name, p.name) AS known
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    LEFT JOIN unnest(%(tables)s::text[]) AS w (name) ON c.oid = to_regclass(w.name)
    LEFT JOIN pg_inherits AS i ON c.oid = i.inhrelid AND c.relispartition
    LEFT JOIN unnest(%(tables)s::text[]) AS p (name) ON i.inhparent = to_regclass(p.name)
    WHERE c.relkind IN ('r', 'p') AND (w.name IS NOT NULL OR p.name IS NOT NULL)
)

SELECT
    format(
        'The rule %%I of %%s changes what is written there: ALTER TABLE %%s DISABLE RULE %%I until the adoption has ended.',
        r.rulename, t.name, t.name, r.rulename
    ) AS complaint
FROM tables AS t
INNER JOIN pg_rewrite AS r ON t.oid = r.ev_class AND r.ev_type <> '1' AND r.ev_enabled <> 'D'
UNION ALL
SELECT
    format(
        '%%s inherits from %%s, so that neither can be changed alone: ALTER TABLE %%s NO INHERIT %%s.',
        i.inhrelid::regclass, i.inhparent::regclass, i.inhrelid::regclass, i.inhparent::regclass
    )
FROM pg_inherits AS i
INNER JOIN pg_class AS c ON i.inhrelid = c.oid AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
WHERE EXISTS (SELECT FROM tables AS t WHERE t.oid IN (i.inhrelid, i.inhparent))
UNION ALL
SELECT
    format('Policies hide rows of %%s from its owner, too: ALTER TABLE %%s NO FORCE ROW LEVEL SECURITY.', t.name, t.name)
FROM tables AS t
WHERE t.is_forced
UNION ALL
SELECT
    format('Foreign keys refer to %%s, which is unlogged, and theirs are not: ALTER TABLE %%s SET LOGGED.', t.name, t.name)
FROM tables AS t
WHERE t.relpersistence = 'u' AND t.known = ANY(%(referenced)s::text[])
UNION ALL
SELECT
    format(
        'The rows of %%s are identified for replication by %%s, which does not stay as it is: ALTER TABLE %%s REPLICA IDENTITY '
        'FULL.', t.name, x.indexrelid::regclass, t.name
    )
FROM tables AS t
INNER JOIN pg_index AS x ON t.oid = x.indrelid AND x.indisreplident AND t.relreplident = 'i'
WHERE
    EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE
            a.attrelid = t.oid AND a.attnum = ANY(x.indkey) AND t.known || '.' || a.attname = ANY(%(converted)s::text[])
    )
    OR pg_get_indexdef(x.indexrelid) LIKE '%% USING btree (session_id, conversation_time)'
UNION ALL
SELECT
    format(
        'The aggregate %%s has the name of a function of ours: ALTER AGGREGATE %%s RENAME TO %%I.',
        p.oid::regprocedure, p.oid::regprocedure, p.proname || '_older'
    )
FROM pg_proc AS p
INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
WHERE p.prokind IN ('a', 'w') AND n.nspname || '.' || p.proname = ANY(%(functions)s::text[])
UNION ALL
SELECT
    format(
        '%%s has the name of an enum of ours: ALTER %%s %%s RENAME TO %%I.',
        y.oid::regtype, CASE WHEN c.relkind <> 'c' THEN 'TABLE' ELSE 'TYPE' END, y.oid::regtype, y.typname || '_older'
    )
FROM pg_type AS y
INNER JOIN pg_namespace AS n ON y.typnamespace = n.oid
LEFT JOIN pg_class AS c ON y.typrelid = c.oid
WHERE y.typtype <> 'e' AND n.nspname || '.' || y.typname = ANY(%(types)s::text[])
ORDER BY 1
