-- The session id that ends a batch of %(size)s rows of the four tables; none where there are fewer.
SELECT a.session_id
FROM {activity} AS a
ORDER BY a.session_id
LIMIT 1 OFFSET %(size)s
