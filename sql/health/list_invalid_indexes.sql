-- Indexes of YUMAI's schemas that a build or a rebuild left invalid, and that nobody is building at this moment.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_index AS i
INNER JOIN pg_class AS c ON i.indexrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
    AND c.relkind = 'i'
    AND NOT i.indisvalid
    AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
ORDER BY 1
