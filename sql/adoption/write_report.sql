-- Copies the cases, with their counts before and after the adoption, to the permanent report; %(run_id)s is the run's id.
INSERT INTO yumai_pipelines.adoption_report (
    run_id, position, what, relation, count_before, count_after, sample, handling
)
SELECT
    %(run_id)s, c.position, c.what, c.relation, c.found, coalesce(a.found, 0), c.sample, c.handling
FROM yumai_pipelines.adoption_cases AS c
LEFT JOIN jsonb_to_recordset(%(after)s::jsonb) AS a (what text, relation text, found bigint)
    ON a.what = c.what AND a.relation = c.relation
