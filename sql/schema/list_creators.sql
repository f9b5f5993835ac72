-- Who may create objects in the schemas in which functions of YUMAI find their names, besides the pipeline and superusers.
-- One row per schema and role; PUBLIC is everybody.
SELECT
    n.nspname AS schema,
    coalesce(r.rolname, 'PUBLIC') AS role
FROM pg_namespace AS n
CROSS JOIN aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE
    n.nspname IN ('public', 'chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
    AND a.privilege_type = 'CREATE'
    AND NOT coalesce(r.rolsuper OR r.rolname IN ('yumai_pipeline', 'pg_database_owner'), FALSE)
ORDER BY n.nspname, r.rolname NULLS FIRST
