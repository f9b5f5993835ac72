-- A publication FOR ALL TABLES refuses DELETE on a table that nothing identifies the rows of: no month could leave.

ALTER TABLE yumai_pipelines.archive_changes ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
COMMENT ON COLUMN yumai_pipelines.archive_changes.id IS 'Number of the change.';

ALTER TABLE yumai_pipelines.archives ADD COLUMN read_at timestamptz;
COMMENT ON COLUMN yumai_pipelines.archives.read_at IS
'When the whole file was last read, and found to hold what was recorded; NULL before the first time.';
