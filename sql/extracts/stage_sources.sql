-- What the staged months %(months)s (their first days) were read from: one row per month. The hash does not depend on the
-- order of the rows, and the hash of rows that are taken away can be taken out of it.
CREATE TEMPORARY TABLE staged_sources ON COMMIT DROP AS
SELECT
    wanted.month,
    count(s.id) FILTER (WHERE s.is_recommendation) AS source_recommendations,
    count(s.id) FILTER (WHERE NOT s.is_recommendation) AS source_feedback,
    max(s.id) FILTER (WHERE s.is_recommendation) AS last_recommendation_id,
    max(s.id) FILTER (WHERE NOT s.is_recommendation) AS last_feedback_id,
    max(s.time_stamp) FILTER (WHERE isfinite(s.time_stamp)) AS last_source_time,
    coalesce(bit_xor(s.source_hash), 0) AS source_hash
FROM unnest(%(months)s::date[]) AS wanted (month)
LEFT JOIN (
    SELECT
        r.month,
        r.id,
        r.time_stamp,
        r.source_hash,
        TRUE AS is_recommendation
    FROM staged_recommendations AS r
    UNION ALL
    SELECT
        f.month,
        f.id,
        f.time_stamp,
        f.source_hash,
        FALSE
    FROM staged_feedback AS f
) AS s ON s.month = wanted.month
GROUP BY wanted.month
