-- What a standby has in common with its primary (the system, its timeline, the database), and whether this is a standby.
SELECT
    s.system_identifier AS system,
    c.timeline_id AS timeline,
    d.oid::bigint AS database,
    pg_is_in_recovery() AS standby
FROM pg_control_system() AS s
CROSS JOIN pg_control_checkpoint() AS c
INNER JOIN pg_database AS d ON d.datname = current_database()
