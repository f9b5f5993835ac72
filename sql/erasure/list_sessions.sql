-- The sessions of the user %(user)s as text, including quarantined ones.
SELECT s.session_id::text FROM chatbot.session_master AS s
WHERE s.user_id = %(user)s
UNION
SELECT q.source_row ->> 'session_id' FROM yumai_pipelines.quarantine AS q
WHERE q.source_table = 'chatbot.session_master' AND q.source_row ->> 'user_id' = %(user)s::text
