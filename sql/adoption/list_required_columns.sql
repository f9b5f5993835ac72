-- Columns of the users and of session_master that every new row has to name, other than those %(known)s (schema.table.column).
SELECT format('%%s.%%s', n.nspname, c.relname) AS relation, a.attname AS name
FROM pg_attribute AS a
INNER JOIN pg_class AS c ON a.attrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    n.nspname = 'chatbot' AND c.relname IN ('users', 'session_master') AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
    AND NOT format('%%s.%%s.%%s', n.nspname, c.relname, a.attname) = ANY(%(known)s)
ORDER BY 1, 2
