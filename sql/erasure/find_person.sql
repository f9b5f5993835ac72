-- The user with %(user_id)s or %(external_user_id)s, and the texts that name the person. The row is locked, so that nobody
-- writes rows that refer to it until it is deleted.
SELECT
    u.id,
    array_remove(ARRAY[u.external_user_id, u.user_name, u.nickname, u.email, u.phone_number], NULL) AS names
FROM chatbot.users AS u
WHERE u.id = %(user_id)s OR u.external_user_id = %(external_user_id)s
FOR UPDATE
