-- Whether WAL is archived, what was archived last, and what failed last. It fails when nothing was archived since.
SELECT
    current_setting('archive_mode') AS mode,
    a.last_archived_wal AS archived,
    a.last_failed_wal AS failed,
    a.last_failed_time AS failed_at,
    coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), FALSE) AS fails
FROM pg_stat_archiver AS a
