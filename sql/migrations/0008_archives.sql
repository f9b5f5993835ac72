-- What became of the months that are past.

CREATE TABLE yumai_pipelines.archives (
    month date PRIMARY KEY CHECK (extract(DAY FROM month) = 1),
    state text NOT NULL CHECK (state IN ('detaching', 'detached', 'archived', 'restored')),
    partition text NOT NULL,
    uri text,
    row_count bigint,
    first_time timestamptz,
    last_time timestamptz,
    checksum text,
    bytes bigint,
    detached_at timestamptz,
    archived_at timestamptz,
    restored_at timestamptz,
    CHECK (state <> 'archived' OR (uri, row_count, checksum, bytes) IS NOT NULL)
);
COMMENT ON TABLE yumai_pipelines.archives IS
'Where the rows of a past month of the conversations are. One row per month that was ever taken out.';
COMMENT ON COLUMN yumai_pipelines.archives.month IS 'First day of the month, in the business''s time zone.';
COMMENT ON COLUMN yumai_pipelines.archives.state IS
'detaching: a partition that is being detached; detached: a table in the schema yumai_pipelines; archived: the file alone;
restored: a partition again, and left alone until somebody archives it anew.';
COMMENT ON COLUMN yumai_pipelines.archives.partition IS 'Name that the month''s partition had, as schema.name.';
COMMENT ON COLUMN yumai_pipelines.archives.uri IS 'URL of the Parquet file; its manifest stands beside it.';
COMMENT ON COLUMN yumai_pipelines.archives.row_count IS 'Rows in the file.';
COMMENT ON COLUMN yumai_pipelines.archives.first_time IS 'Earliest conversation_time in the file; NULL for a file without rows.';
COMMENT ON COLUMN yumai_pipelines.archives.last_time IS 'Latest conversation_time in the file.';
COMMENT ON COLUMN yumai_pipelines.archives.checksum IS 'Of the rows in the file, as PostgreSQL computed it of the table.';
COMMENT ON COLUMN yumai_pipelines.archives.bytes IS 'Size of the file.';
COMMENT ON COLUMN yumai_pipelines.archives.detached_at IS 'When the partition was last taken out.';
COMMENT ON COLUMN yumai_pipelines.archives.archived_at IS 'When the file was last found to hold what the table held.';
COMMENT ON COLUMN yumai_pipelines.archives.restored_at IS 'When the month last came back.';

-- Rows may still go from a detached table, with their session: then its file is no copy of it any more.
CREATE TABLE yumai_pipelines.archive_changes (
    month date NOT NULL,
    operation text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE yumai_pipelines.archive_changes IS
'Changes of detached tables since they were last exported. One row per changed row; only that there is one matters.';
COMMENT ON COLUMN yumai_pipelines.archive_changes.month IS 'First day of the month whose table was changed.';
COMMENT ON COLUMN yumai_pipelines.archive_changes.operation IS 'INSERT, UPDATE, DELETE or TRUNCATE.';
COMMENT ON COLUMN yumai_pipelines.archive_changes.noted_at IS 'When.';
