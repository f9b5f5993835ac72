-- How many bytes of WAL a standby has still to replay up to %(mark)s, an LSN of the primary, and whether its replay is paused.
SELECT
    pg_wal_lsn_diff(%(mark)s::pg_lsn, pg_last_wal_replay_lsn())::bigint AS behind,
    pg_get_wal_replay_pause_state() = 'paused' AS paused
