-- Deletes the person's rows of {table}.
DELETE FROM {table} AS t
WHERE {theirs}
