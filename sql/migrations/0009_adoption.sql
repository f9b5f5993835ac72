-- What was found in an older database when it was adopted, and what became of it.

CREATE TABLE yumai_pipelines.adoption_report (
    run_id text NOT NULL,
    position int NOT NULL,
    what text NOT NULL,
    relation text NOT NULL,
    count_before bigint NOT NULL CHECK (count_before >= 0),
    count_after bigint NOT NULL CHECK (count_after >= 0),
    sample jsonb NOT NULL,
    handling text NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, position)
);
COMMENT ON TABLE yumai_pipelines.adoption_report IS
'What was found in an older database when it was adopted. One row per run, case and table; empty where the schema was installed.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.run_id IS 'The run that finished the adoption.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.position IS 'The order in which they were counted.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.what IS 'The case, such as a session that is unknown.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.relation IS 'The table, with the column where one matters.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.count_before IS 'How many there were before the first run.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.count_after IS 'How many there are after the last; rows grow while the application writes.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.sample IS 'Keys of a few of them, as they were before.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.handling IS 'What was done.';
COMMENT ON COLUMN yumai_pipelines.adoption_report.reported_at IS 'When the adoption was finished.';
