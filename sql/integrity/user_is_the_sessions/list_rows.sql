-- Conversations that name another user than their session does.
SELECT t.id, t.conversation_time, t.session_id, t.user_id, s.user_id AS session_user_id
FROM chatbot.conversations AS t
INNER JOIN chatbot.session_master AS s ON s.session_id = t.session_id
WHERE
    t.user_id IS NOT NULL
    AND t.user_id IS DISTINCT FROM s.user_id
    AND {scope}
ORDER BY t.id, t.conversation_time
