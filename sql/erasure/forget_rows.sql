-- Takes the person out of rows of {table} of theirs that stay as records of the business.
UPDATE {table} AS t
SET {emptied}
WHERE {theirs}
