-- The user with %(user_id)s, or with %(external_user_id)s, and what names them in words; locked, so that nobody writes in their
-- name until they are gone.
SELECT
    u.id,
    array_remove(ARRAY[u.external_user_id, u.user_name, u.nickname, u.email, u.phone_number], NULL) AS names
FROM chatbot.users AS u
WHERE u.id = %(user_id)s OR u.external_user_id = %(external_user_id)s
FOR UPDATE
