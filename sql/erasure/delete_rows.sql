-- Deletes the rows of {table} that are theirs.
DELETE FROM {table} AS t
WHERE {theirs}
