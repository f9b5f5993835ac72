-- The months that were ever taken out of the conversations, in order. One row per month.
SELECT
    to_char(a.month, 'YYYY-MM') AS month,
    a.state,
    a.partition,
    a.uri,
    a.row_count,
    a.first_time,
    a.last_time,
    a.checksum,
    a.bytes,
    a.detached_at,
    a.archived_at,
    a.restored_at,
    a.read_at
FROM yumai_pipelines.archives AS a
ORDER BY a.month
