-- Rows in which recent_conversations differs from the conversations of the seven days up to %(as_of)s, each with the number of
-- all such rows; %(sample)s rows at most. A row that was changed differs twice.
WITH expected AS (
    SELECT c.*
    FROM chatbot.conversations AS c
    WHERE
        c.conversation_time > %(as_of)s::timestamptz - interval '7 days'
        AND c.conversation_time <= %(as_of)s::timestamptz
),

missing AS (
    SELECT e.* FROM expected AS e
    EXCEPT
    SELECT v.* FROM chatbot.recent_conversations AS v
),

unexpected AS (
    SELECT v.* FROM chatbot.recent_conversations AS v
    EXCEPT
    SELECT e.* FROM expected AS e
)

SELECT
    d.difference,
    d.id,
    d.conversation_time,
    count(*) OVER () AS total
FROM (
    SELECT 'missing from the view' AS difference, m.id, m.conversation_time FROM missing AS m
    UNION ALL
    SELECT 'only in the view', u.id, u.conversation_time FROM unexpected AS u
) AS d
ORDER BY d.conversation_time, d.id, d.difference
LIMIT %(sample)s
