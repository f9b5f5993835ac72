-- Rows of the months %(months)s (their first days) that cannot be right, with what is wrong: a NULL in the key, a key that
-- stands there twice, a rate or mean out of its range or NULL where there is something to divide by.
SELECT checked.*
FROM (
    SELECT
        f.month,
        f.recommendation_method,
        f.shop_category,
        concat_ws(
            '; ',
            CASE
                WHEN f.recommendation_method IS NULL OR f.shop_category IS NULL THEN 'NULL in the key'
            END,
            CASE
                WHEN
                    count(*) OVER (PARTITION BY f.month, f.recommendation_method, f.shop_category) > 1
                    THEN 'the key stands there twice'
            END,
            CASE
                WHEN
                    f.selection_rate IS DISTINCT FROM round(f.selections::numeric / nullif(f.recommendations, 0), 5)
                    OR NOT coalesce(f.selection_rate, 0) BETWEEN 0 AND 1
                    THEN 'selection_rate is not selections per recommendation'
            END,
            CASE
                WHEN
                    NOT coalesce(f.feedback_rate, 0) BETWEEN 0 AND 1
                    OR (f.feedback_rate IS NULL) <> (f.recommendations = 0)
                    THEN 'feedback_rate is no share'
            END,
            CASE
                WHEN
                    NOT coalesce(f.rating_mean, 1) BETWEEN 1 AND 5
                    OR (f.rating_mean IS NULL) <> (f.rating_count = 0)
                    THEN 'rating_mean is no mean of 1 to 5'
            END,
            CASE
                WHEN
                    f.median_seconds_to_selection < 0 OR (f.median_seconds_to_selection IS NOT NULL AND f.selections = 0)
                    THEN 'median_seconds_to_selection is no time to a selection'
            END
        ) AS wrong
    FROM extracts.recommendation_funnel AS f
    WHERE f.month = ANY(%(months)s::date[])
) AS checked
WHERE checked.wrong <> ''
ORDER BY checked.month, checked.recommendation_method, checked.shop_category
