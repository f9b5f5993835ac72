-- Notes the feedback that outlives its recommendation: it has counted in that month, so it counts in no other.
INSERT INTO yumai_pipelines.counted_feedback (feedback_id, month)
SELECT
    p.id,
    p.month
FROM purge_rows AS p
INNER JOIN purge_batch AS b ON b.session_id = p.session_id
WHERE p.survives
