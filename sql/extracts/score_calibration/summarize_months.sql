-- Sums up the months %(months)s (their first days): one row per month, for the metadata of its materialization. The expected
-- calibration error of a score is the mean distance of its selection rates from its mean scores, over its methods and
-- tenths, weighted by their recommendations: 0 for a score that predicts exactly what happens.
WITH by_score AS (
    SELECT
        e.month,
        e.score,
        count(*) AS rows,
        sum(e.recommendations) AS scores,
        sum(e.recommendations) FILTER (WHERE e.decile = 0) AS out_of_range,
        round(
            sum(e.recommendations * abs(e.mean_score - e.selection_rate))
            / sum(e.recommendations) FILTER (WHERE e.mean_score IS NOT NULL),
            5
        )::double precision AS error
    FROM {extract} AS e
    WHERE e.month = ANY(%(months)s::date[])
    GROUP BY e.month, e.score
)

SELECT
    wanted.month,
    coalesce(sum(s.rows), 0)::bigint AS rows,
    coalesce(sum(s.scores), 0)::bigint AS scores,
    coalesce(sum(s.out_of_range), 0)::bigint AS scores_out_of_range,
    max(s.error) FILTER (WHERE s.score = 'confidence') AS calibration_error_of_confidence,
    max(s.error) FILTER (WHERE s.score = 'wide') AS calibration_error_of_wide,
    max(s.error) FILTER (WHERE s.score = 'deep') AS calibration_error_of_deep,
    max(s.error) FILTER (WHERE s.score = 'rag') AS calibration_error_of_rag
FROM unnest(%(months)s::date[]) AS wanted (month)
LEFT JOIN by_score AS s ON s.month = wanted.month
GROUP BY wanted.month
ORDER BY wanted.month
