-- Empties {column} of {table} where it refers to no row of {referenced}, as ON DELETE SET NULL would have done.
UPDATE {table} AS t
SET {column} = NULL
WHERE
    t.{column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})
