-- Takes sessions out of purge_batch with which a row would leave that the extracts of safe months do not know, or knew
-- otherwise.
DELETE FROM purge_batch AS b
WHERE b.session_id IN (SELECT p.session_id FROM purge_rows AS p WHERE p.month IS NULL)
