-- The objects that yumai_pipeline does not own among the tables %(relations)s, the partitions of the conversations, the types
-- %(types)s, the functions %(functions)s (by name, whatever their arguments) and the project's schemas: kind and name as
-- ALTER … OWNER spells them, schema, owner.
WITH owned AS (
    SELECT
        CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
        n.nspname AS schema,
        format('%%I.%%I', n.nspname, c.relname) AS name,
        c.relowner AS owner,
        c.relispartition AS later
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('r', 'p', 'm', 'v')
        AND (
            n.nspname || '.' || c.relname = ANY(%(relations)s)
            OR c.oid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = to_regclass('chatbot.conversations'))
        )
    UNION ALL
    SELECT 'TYPE', n.nspname, format('%%I.%%I', n.nspname, t.typname), t.typowner, FALSE
    FROM pg_type AS t
    INNER JOIN pg_namespace AS n ON t.typnamespace = n.oid
    WHERE t.typtype = 'e' AND n.nspname || '.' || t.typname = ANY(%(types)s)
    UNION ALL
    SELECT
        CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
        n.nspname,
        format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        p.proowner,
        FALSE
    FROM pg_proc AS p
    INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
    WHERE p.prokind IN ('f', 'p') AND n.nspname || '.' || p.proname = ANY(%(functions)s)
    UNION ALL
    SELECT 'SCHEMA', n.nspname, quote_ident(n.nspname), n.nspowner, FALSE
    FROM pg_namespace AS n
    WHERE n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
)

SELECT o.kind, o.schema, o.name, pg_get_userbyid(o.owner) AS owner
FROM owned AS o
WHERE pg_get_userbyid(o.owner) <> 'yumai_pipeline'
ORDER BY o.kind <> 'SCHEMA', o.later, o.kind, o.name
