-- How many transactions ago the oldest rows of each database were written, and when autovacuum freezes them at the latest.
SELECT
    format('The oldest row of the database %s', d.datname) AS what,
    age(d.datfrozenxid) AS age,
    current_setting('autovacuum_freeze_max_age')::integer AS "limit"
FROM pg_database AS d
UNION ALL
SELECT
    format('The oldest MultiXact of the database %s', d.datname),
    mxid_age(d.datminmxid),
    current_setting('autovacuum_multixact_freeze_max_age')::integer
FROM pg_database AS d
ORDER BY age DESC
