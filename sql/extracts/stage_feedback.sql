-- Reads the feedback that counts in the months %(months)s (their first days) once, for all extracts: on one of
-- staged_recommendations, or on none and given from %(bounds)s[i] up to %(bounds)s[i + 1]. One row per feedback.
CREATE TEMPORARY TABLE staged_feedback ON COMMIT DROP AS
SELECT
    f.id,
    f.counted_month AS month,
    f.recommendation_id,
    f.time_stamp,
    f.session_id,
    f.user_id,
    coalesce(f.feedback_type, 'unknown') AS feedback_type,
    coalesce(f.feedback_target_type, 'unknown') AS target_type,
    -- 0 for a target that names no shop.
    CASE
        WHEN f.feedback_target_type = 'shop'
            THEN coalesce(substring(f.feedback_target_id FROM '^[1-9][0-9]{0,17}$')::bigint, 0)
    END AS shop_id,
    f.rating,
    f.rating IS NULL
    AND (f.feedback_type IS NOT DISTINCT FROM 'rating' OR f.feedback_content -> 'rating' IS NOT NULL) AS is_invalid_rating,
    CASE
        WHEN f.rating >= 4 OR (f.rating IS NULL AND f.feedback_content ->> 'sentiment' = 'positive') THEN 1
        WHEN f.rating <= 2 OR (f.rating IS NULL AND f.feedback_content ->> 'sentiment' = 'negative') THEN -1
        ELSE 0
    END AS verdict,
    f.source_hash
FROM (
    (
        SELECT
            linked.*,
            r.month AS counted_month,
            r.id AS recommendation_id,
            extracts.rating_of(linked.feedback_content) AS rating,
            yumai_pipelines.source_hash(linked) AS source_hash
        FROM analytics.user_feedback AS linked
        INNER JOIN staged_recommendations AS r ON r.id = linked.related_recommendation_id
        -- Computed once a row, not once a use.
        OFFSET 0
    )
    UNION ALL
    (
        SELECT
            unlinked.*,
            (%(months)s::date[])[width_bucket(unlinked.time_stamp, %(bounds)s::timestamptz[])],
            NULL,
            extracts.rating_of(unlinked.feedback_content),
            yumai_pipelines.source_hash(unlinked)
        FROM analytics.user_feedback AS unlinked
        WHERE
            unlinked.time_stamp >= (%(bounds)s::timestamptz[])[1]
            AND unlinked.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
            -- A foreign key says that what is named is there.
            AND unlinked.related_recommendation_id IS NULL
            -- It counted with its recommendation, before retention deleted that.
            AND NOT EXISTS (SELECT FROM yumai_pipelines.counted_feedback AS c WHERE c.feedback_id = unlinked.id)
        OFFSET 0
    )
) AS f
