-- The working tables of an adoption, which let the next run go on where one was stopped. The last step drops them.
CREATE TABLE yumai_pipelines.adoption_run (
    shape text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE yumai_pipelines.adoption_run IS 'An adoption is under way: run `yumai adopt` to go on with it.';
CREATE TABLE yumai_pipelines.adoption_cases (
    position integer GENERATED ALWAYS AS IDENTITY,
    what text NOT NULL,
    relation text NOT NULL,
    found bigint NOT NULL,
    sample jsonb NOT NULL,
    handling text NOT NULL,
    PRIMARY KEY (what, relation)
);
CREATE TABLE yumai_pipelines.adoption_unknown_users (
    user_id bigint,
    source_table text,
    PRIMARY KEY (user_id, source_table)
);
-- Used instead of the quarantine, which a later migration creates. run_id is NULL in rows that the adoption itself emptied.
CREATE TABLE yumai_pipelines.adoption_emptied (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_table text NOT NULL,
    source_key jsonb NOT NULL,
    source_row jsonb NOT NULL,
    still_there boolean NOT NULL DEFAULT TRUE,
    why text NOT NULL,
    run_id text,
    quarantined_at timestamptz NOT NULL DEFAULT now()
);
