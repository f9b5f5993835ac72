-- Adds the rows that are deleted with the sessions of purge_batch to the ledger, for their months and every extract. Also notes
-- the feedback that outlives its recommendation: it has counted in the recommendation's month, so it must not count in another.
WITH leaving AS NOT MATERIALIZED (
    SELECT
        p.id,
        p.is_recommendation,
        p.given_in,
        p.month,
        p.source_hash
    FROM purge_rows AS p
    INNER JOIN purge_batch AS b ON b.session_id = p.session_id
    -- Otherwise the feedback leaves with the session in which it was given.
    WHERE p.given_in IS NULL OR p.given_in NOT IN (SELECT others.session_id FROM purge_batch AS others)
),

outliving AS (
    INSERT INTO yumai_pipelines.counted_feedback (feedback_id, month)
    SELECT
        l.id,
        l.month
    FROM leaving AS l
    WHERE l.given_in IS NOT NULL
),

by_month AS (
    SELECT
        l.month,
        count(*) FILTER (WHERE l.is_recommendation) AS recommendations,
        count(*) FILTER (WHERE NOT l.is_recommendation) AS feedback,
        bit_xor(l.source_hash) AS hash
    FROM leaving AS l
    GROUP BY l.month
)

UPDATE extracts.ledger AS l
SET
    purged_recommendations = l.purged_recommendations + g.recommendations,
    purged_feedback = l.purged_feedback + g.feedback,
    purged_hash = int8xor(l.purged_hash, g.hash),
    purged_at = clock_timestamp()
FROM by_month AS g
WHERE l.month = g.month
