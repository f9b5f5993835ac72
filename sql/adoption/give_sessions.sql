-- Gives each row of {table} without a session one of its own, marked as recovered. The trigger for the older application's rows
-- creates the session, so it is enough to write the row again.
UPDATE {table} AS t
SET session_id = NULL
WHERE {scope} AND t.session_id IS NULL
