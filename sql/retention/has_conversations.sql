-- Whether the database has conversations from %(lower_bound)s up to %(upper_bound)s. One row.
SELECT count(*) > 0 AS present
FROM (
    SELECT FROM chatbot.conversations AS c
    WHERE c.conversation_time >= %(lower_bound)s AND c.conversation_time < %(upper_bound)s
    LIMIT 1
) AS found
