-- The rights that the login lacks to take over objects of %(owners)s, with the roles %(roles)s: one sentence per row.
WITH login AS (
    SELECT r.rolname, r.rolsuper, r.rolcreaterole FROM pg_roles AS r WHERE r.rolname = current_user
),

roles AS (
    SELECT w.name, r.oid AS role
    FROM unnest(%(roles)s::text[]) AS w (name)
    LEFT JOIN pg_roles AS r ON r.rolname = w.name
),

complaints AS (
    SELECT
        1 AS position,
        format(
            'The database belongs to %%s, and only its owner may set its search_path and time zone. Log in as a member of '
            'that role, or ALTER DATABASE %%I OWNER TO %%I.', pg_get_userbyid(d.datdba), d.datname, l.rolname
        ) AS complaint
    FROM pg_database AS d
    CROSS JOIN login AS l
    WHERE d.datname = current_database() AND NOT pg_has_role(d.datdba, 'USAGE')
    UNION ALL
    SELECT
        2,
        format(
            'Objects belong to %%s, and %%s is no member of it. As a superuser: GRANT %%I TO %%I.',
            o.name, l.rolname, o.name, l.rolname
        )
    FROM unnest(%(owners)s::text[]) AS o (name)
    CROSS JOIN login AS l
    WHERE NOT pg_has_role(o.name, 'USAGE')
    UNION ALL
    SELECT
        3,
        format(
            'The role %%s does not exist, and %%s may not create it. As a superuser: CREATE ROLE %%I NOLOGIN%%s.',
            r.name, l.rolname, r.name,
            CASE r.name
                WHEN 'yumai_pipeline'
                    THEN format('; GRANT yumai_pipeline TO %%I WITH INHERIT TRUE, SET TRUE', l.rolname)
                WHEN 'yumai_app' THEN (
                    SELECT coalesce('; GRANT yumai_app TO ' || string_agg(quote_ident(o.name), ', '), '')
                    FROM unnest(%(owners)s::text[]) AS o (name)
                )
                ELSE ''
            END
        )
    FROM roles AS r
    CROSS JOIN login AS l
    WHERE r.role IS NULL AND NOT (l.rolsuper OR l.rolcreaterole)
    UNION ALL
    SELECT
        4,
        format(
            '%%s may not work as yumai_pipeline, who is to own the objects. As a superuser: GRANT yumai_pipeline TO %%I '
            'WITH INHERIT TRUE, SET TRUE.', l.rolname, l.rolname
        )
    FROM roles AS r
    CROSS JOIN login AS l
    WHERE
        r.name = 'yumai_pipeline' AND r.role IS NOT NULL
        AND NOT (pg_has_role(r.role, 'SET') AND pg_has_role(r.role, 'USAGE'))
        AND NOT pg_has_role(r.role, 'USAGE WITH ADMIN OPTION')
    UNION ALL
    SELECT
        5,
        format(
            '%%s is to go on writing when the tables are no longer its own, and %%s may not see to that. As a superuser: '
            'GRANT yumai_app TO %%I.', o.name, l.rolname, o.name
        )
    FROM roles AS r
    CROSS JOIN login AS l
    CROSS JOIN unnest(%(owners)s::text[]) AS o (name)
    WHERE
        r.name = 'yumai_app' AND r.role IS NOT NULL
        AND NOT pg_has_role(o.name, r.role, 'USAGE')
        AND NOT pg_has_role(r.role, 'USAGE WITH ADMIN OPTION')
)

SELECT c.complaint
FROM complaints AS c
ORDER BY c.position, c.complaint
