-- Moves the notes about months that retention has begun to delete to the ledger: such a month is not built again.
WITH frozen AS (
    SELECT DISTINCT l.month
    FROM extracts.ledger AS l
    WHERE l.purged_at IS NOT NULL
),

late AS (
    SELECT m.*
    FROM yumai_pipelines.changes_by_month AS m
    INNER JOIN frozen AS f ON f.month = m.month
),

taken AS (
    DELETE FROM yumai_pipelines.source_changes AS c
    USING late AS l
    WHERE c.id = l.id
),

by_month AS (
    SELECT
        l.month,
        sum(l.recommendations) AS recommendations,
        sum(l.feedback) AS feedback
    FROM late AS l
    GROUP BY l.month
)

UPDATE extracts.ledger AS l
SET
    late_recommendations = l.late_recommendations + b.recommendations,
    late_feedback = l.late_feedback + b.feedback,
    late_at = clock_timestamp()
FROM by_month AS b
WHERE l.month = b.month AND b.recommendations + b.feedback > 0
