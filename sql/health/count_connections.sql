-- How many connections of clients there are on the server, and how many there may be, without those for superusers.
SELECT
    (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend') AS used,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS room
