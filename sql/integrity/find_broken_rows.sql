-- Puts the rows of {table} whose {column} names no row of {referenced} into the temporary table {found}, numbered by key.
CREATE TEMPORARY TABLE {found} AS
SELECT
    row_number() OVER (ORDER BY {key}) AS number,
    {key},
    t.{column} AS named
FROM {table} AS t
WHERE
    t.{column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})
