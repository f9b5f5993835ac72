-- Deletes the rows of {table} whose {column} names no row of {referenced}, as ON DELETE CASCADE would have.
DELETE FROM {table} AS t
WHERE
    t.{column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})
