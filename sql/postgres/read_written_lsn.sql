-- Up to where the WAL of the primary is written. A commit that waits for the disk is before it as soon as others see it. One
-- that does not (synchronous_commit = off) may still be in memory, where the position of the next record is after it.
SELECT
    CASE current_setting('synchronous_commit')
        WHEN 'off' THEN pg_current_wal_insert_lsn()
        ELSE pg_current_wal_lsn()
    END::text
