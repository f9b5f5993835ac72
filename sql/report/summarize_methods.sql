-- The numbers of recommendations, selections and rated recommendations in the month %(month)s (its first day). One row per
-- method, the most frequent first.
SELECT
    e.recommendation_method AS method,
    count(*) AS recommendations,
    count(*) FILTER (WHERE e.was_selected) AS selections,
    count(*) FILTER (WHERE e.rating_count > 0) AS rated
FROM extracts.recommendation_outcomes AS e
WHERE e.month = %(month)s
GROUP BY e.recommendation_method
ORDER BY recommendations DESC, method ASC
