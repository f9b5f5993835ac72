-- Hands the rows whose references were emptied on to the quarantine; %(run_id)s is the run's.
INSERT INTO yumai_pipelines.quarantine (source_table, source_key, source_row, still_there, why, run_id)
SELECT e.source_table, e.source_key, e.source_row, TRUE, e.why, %(run_id)s
FROM yumai_pipelines.adoption_emptied AS e
ORDER BY e.id
