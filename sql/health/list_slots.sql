-- The replication slots of the server, and how much WAL each keeps from being removed.
SELECT
    s.slot_name::text AS name,
    s.active,
    s.wal_status,
    coalesce(
        pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn
        ), 0
    )::bigint AS retained
FROM pg_replication_slots AS s
ORDER BY s.slot_name
