-- The tables %(tables)s and their partitions of which no row can be changed or deleted, since a publication publishes that and
-- has nothing to say which row it was: one sentence per table, with what to do.
WITH tables AS (
    SELECT c.oid, c.relreplident, c.relname, n.nspname, ARRAY[c.oid, i.inhparent] AS family
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    LEFT JOIN pg_inherits AS i ON c.oid = i.inhrelid AND c.relispartition
    WHERE
        c.relkind = 'r' AND c.relpersistence = 'p'
        AND EXISTS (SELECT FROM unnest(%(tables)s::text[]) AS w (name) WHERE to_regclass(w.name) IN (c.oid, i.inhparent))
),

identified AS (
    SELECT t.oid, array_agg(a.attname) AS columns
    FROM tables AS t
    INNER JOIN pg_attribute AS a ON t.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE
        t.relreplident = 'f'
        OR EXISTS (
            SELECT FROM pg_index AS x
            WHERE
                x.indrelid = t.oid AND a.attnum = ANY(x.indkey)
                AND (
                    (t.relreplident = 'd' AND x.indisprimary AND x.indimmediate)
                    OR (t.relreplident = 'i' AND x.indisreplident)
                )
        )
    GROUP BY t.oid
),

published AS (
    SELECT t.oid, p.oid AS publication, p.pubname
    FROM tables AS t
    INNER JOIN pg_publication AS p ON p.pubupdate OR p.pubdelete
    WHERE
        p.puballtables
        OR EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = ANY(t.family))
        OR EXISTS (
            SELECT FROM pg_publication_namespace AS s
            INNER JOIN pg_class AS c ON s.pnnspid = c.relnamespace
            WHERE s.pnpubid = p.oid AND c.oid = ANY(t.family)
        )
),

-- A list of columns must have all that identify a row, and a condition must ask of no others.
unfit AS (
    SELECT p.oid, p.publication
    FROM published AS p
    INNER JOIN identified AS f ON p.oid = f.oid
    INNER JOIN tables AS t ON p.oid = t.oid
    INNER JOIN pg_publication_rel AS r ON p.publication = r.prpubid AND r.prrelid = ANY(t.family)
    WHERE EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE
            a.attrelid = r.prrelid AND a.attnum > 0 AND NOT a.attisdropped
            AND CASE WHEN a.attname = ANY(f.columns)
                THEN NOT a.attnum = ANY(coalesce(r.prattrs::int2[], ARRAY[a.attnum]))
                ELSE pg_get_expr(r.prqual, r.prrelid) LIKE '%%' || a.attname || '%%'
            END
    )
)

SELECT
    format(
        CASE WHEN bool_and(f.oid IS NOT NULL) THEN
            '%%1$I.%%2$I is published by %%3$s, and the columns that identify its rows do not fit that publication, so that '
            'no row can be changed: %%4$s.'
        ELSE
            '%%1$I.%%2$I is published by %%3$s, and nothing identifies its rows, so that none can be changed: ALTER TABLE '
            '%%1$I.%%2$I REPLICA IDENTITY FULL, or %%4$s.'
        END,
        t.nspname, t.relname,
        string_agg(quote_ident(p.pubname), ', ' ORDER BY p.pubname),
        string_agg(format('ALTER PUBLICATION %%I SET (publish = ''insert'')', p.pubname), '; ' ORDER BY p.pubname)
    ) AS complaint
FROM published AS p
INNER JOIN tables AS t ON p.oid = t.oid
LEFT JOIN identified AS f ON p.oid = f.oid
WHERE f.oid IS NULL OR EXISTS (SELECT FROM unfit AS u WHERE u.oid = p.oid AND u.publication = p.publication)
GROUP BY t.oid, t.nspname, t.relname
ORDER BY t.nspname, t.relname
