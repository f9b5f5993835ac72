-- Removes the person from their rows of {table}, which stay as business records.
UPDATE {table} AS t
SET {emptied}
WHERE {theirs}
