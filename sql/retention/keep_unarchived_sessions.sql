-- Removes sessions from purge_batch that have conversations in the database: archived conversations are not there any more.
DELETE FROM purge_batch AS b
WHERE EXISTS (SELECT FROM chatbot.conversations AS c WHERE c.session_id = b.session_id)
