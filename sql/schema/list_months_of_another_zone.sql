-- The partitions of %(parent)s that do not begin and end at the first midnight of a month in the time zone %(zone)s, by
-- their lower bounds, with the time zone that the database has. No row where the database has that same zone.
-- pg_get_expr prints bounds in the session's TimeZone and DateStyle, and the casts read them in the same ones.
WITH database AS (
    SELECT (
        SELECT split_part(entry.setting, '=', 2)
        FROM pg_db_role_setting AS s
        INNER JOIN pg_database AS d ON s.setdatabase = d.oid
        CROSS JOIN unnest(s.setconfig) AS entry (setting)
        WHERE d.datname = current_database() AND s.setrole = 0 AND lower(entry.setting) LIKE 'timezone=%%'
    ) AS zone
),

bounds AS (
    SELECT
        c.oid::regclass::text AS relation,
        database.zone,
        substring(bound.text FROM $$FROM \('([^']+)'\)$$)::timestamptz AS lower,
        substring(bound.text FROM $$TO \('([^']+)'\)$$)::timestamptz AS upper
    FROM database
    CROSS JOIN pg_inherits AS i
    INNER JOIN pg_class AS c ON i.inhrelid = c.oid
    CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) AS bound
    WHERE
        lower(database.zone) IS DISTINCT FROM lower(%(zone)s)
        AND i.inhparent = (
            SELECT p.oid
            FROM pg_class AS p
            INNER JOIN pg_namespace AS n ON p.relnamespace = n.oid
            WHERE format('%%I.%%I', n.nspname, p.relname) = %(parent)s
        )
)

SELECT b.relation, b.lower, b.zone
FROM bounds AS b
WHERE
    date_trunc('month', b.lower AT TIME ZONE %(zone)s) <> b.lower AT TIME ZONE %(zone)s
    OR date_trunc('month', b.upper AT TIME ZONE %(zone)s) <> b.upper AT TIME ZONE %(zone)s
ORDER BY b.lower
