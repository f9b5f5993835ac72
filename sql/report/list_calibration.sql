-- The mean score and the selection rate in each tenth of the confidence score, in the month %(month)s (its first day). One
-- row per method and tenth.
SELECT
    e.recommendation_method AS method,
    e.decile,
    e.recommendations,
    e.mean_score::double precision AS mean_score,
    e.selection_rate::double precision AS selection_rate
FROM extracts.score_calibration AS e
WHERE e.month = %(month)s AND e.score = 'confidence' AND e.decile > 0 AND e.mean_score IS NOT NULL
ORDER BY e.recommendation_method, e.decile
