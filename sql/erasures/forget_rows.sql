-- Takes the person out of rows of {table} that are {theirs}, and stay as records of the business.
UPDATE {table} AS t
SET {emptied}
WHERE {theirs}
