-- What the pipeline keeps of rows that it takes out of the tables, and of people whom it forgets.

CREATE TABLE yumai_pipelines.quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_table text NOT NULL,
    source_key jsonb NOT NULL,
    source_row jsonb NOT NULL,
    still_there boolean NOT NULL,
    why text NOT NULL,
    run_id text NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_quarantine_source ON yumai_pipelines.quarantine (source_table, source_key);
CREATE INDEX idx_quarantine_user ON yumai_pipelines.quarantine ((source_row ->> 'user_id'));
CREATE INDEX idx_quarantine_session ON yumai_pipelines.quarantine ((source_row ->> 'session_id'));
COMMENT ON TABLE yumai_pipelines.quarantine IS
'Rows that referred to something that is gone, kept whole before they were repaired. One row per row and repair.';
COMMENT ON COLUMN yumai_pipelines.quarantine.source_table IS 'The table that the row comes from, as schema.name.';
COMMENT ON COLUMN yumai_pipelines.quarantine.source_key IS 'Its primary key.';
COMMENT ON COLUMN yumai_pipelines.quarantine.source_row IS
'The whole row as it was; jsonb_populate_record makes it one again. Personal data.';
COMMENT ON COLUMN yumai_pipelines.quarantine.still_there IS
'False for a row that was taken out of its table; true for one that stays there, with the reference emptied.';
COMMENT ON COLUMN yumai_pipelines.quarantine.why IS 'Which reference led nowhere.';
COMMENT ON COLUMN yumai_pipelines.quarantine.run_id IS 'The run that did it.';
COMMENT ON COLUMN yumai_pipelines.quarantine.quarantined_at IS 'When.';

CREATE TABLE yumai_pipelines.erasures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL CHECK (reason ~ '\S'),
    counts jsonb NOT NULL,
    run_id text NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE yumai_pipelines.erasures IS
'That a person was forgotten, and nothing by which to tell who. One row per erasure.';
COMMENT ON COLUMN yumai_pipelines.erasures.reason IS 'Why, in words that name nobody.';
COMMENT ON COLUMN yumai_pipelines.erasures.counts IS 'Rows that were deleted, or stay without the person, by table.';
COMMENT ON COLUMN yumai_pipelines.erasures.run_id IS 'The run that did it.';
COMMENT ON COLUMN yumai_pipelines.erasures.erased_at IS 'When.';
