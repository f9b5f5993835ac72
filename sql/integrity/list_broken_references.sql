-- Rows of {table} that refer to something that is gone.
SELECT {columns}
FROM {table} AS t
WHERE
    {rows}
ORDER BY {order}
