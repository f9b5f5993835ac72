-- Copies the rows whose references were emptied to the quarantine, without the adoption's own columns. %(run_id)s is the
-- run's id.
INSERT INTO yumai_pipelines.quarantine (source_table, source_key, source_row, still_there, why, run_id, quarantined_at)
SELECT
    e.source_table,
    e.source_key,
    (SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(e.source_row) AS f WHERE f.key NOT LIKE 'yumai\_%%'),
    e.still_there,
    e.why,
    coalesce(e.run_id, %(run_id)s),
    e.quarantined_at
FROM yumai_pipelines.adoption_emptied AS e
ORDER BY e.id
