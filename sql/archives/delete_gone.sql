-- Deletes the rows of {table} whose {column} refers to no row of {referenced}, as ON DELETE CASCADE would have done.
DELETE FROM {table} AS t
WHERE
    t.{column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})
