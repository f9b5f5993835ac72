-- Removes a session from purge_batch if a row would be deleted with it that the extracts of safe months do not know as it is
-- now.
DELETE FROM purge_batch AS b
WHERE b.session_id IN (SELECT p.session_id FROM purge_rows AS p WHERE p.month IS NULL)
