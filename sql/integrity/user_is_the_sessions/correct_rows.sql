-- Gives conversations that name another user than their session does the user of their session.
UPDATE chatbot.conversations AS t
SET user_id = s.user_id
FROM chatbot.session_master AS s
WHERE
    s.session_id = t.session_id
    AND t.user_id IS NOT NULL
    AND t.user_id IS DISTINCT FROM s.user_id
    AND {scope}
