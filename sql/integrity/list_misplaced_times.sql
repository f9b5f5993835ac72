-- Rows of {table} with a time that cannot be right, and what is wrong with it.
SELECT {columns}, {fault} AS fault
FROM {table} AS t
{sessions}
WHERE
    {fault} IS NOT NULL
    AND {scope}
ORDER BY {key}
