-- Deploy: before
-- Which versions of yumai_pipelines may work with the database.

CREATE TABLE yumai_pipelines.compatibility (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    oldest_code text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE yumai_pipelines.compatibility IS 'Which versions of yumai_pipelines may work with the database. One row.';
COMMENT ON COLUMN yumai_pipelines.compatibility.is_only IS 'True: there is only one row.';
COMMENT ON COLUMN yumai_pipelines.compatibility.oldest_code IS
'A version must know this revision: the last one that ran which was to run after the deploy of its version.';
COMMENT ON COLUMN yumai_pipelines.compatibility.since IS 'When that revision ran.';

INSERT INTO yumai_pipelines.compatibility (oldest_code) VALUES ('0001');
