-- Gives each row of {table} that has no session one of its own, marked as recovered: the trigger for the older application's
-- rows does so for any row that is written without a session, and these are written again.
UPDATE {table} AS t
SET session_id = NULL
WHERE {scope} AND t.session_id IS NULL
