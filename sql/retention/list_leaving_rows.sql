-- Fills purge_rows with what leaves the logs' months when the sessions of purge_batch go: their recommendations, their
-- feedback, and the feedback of others on their recommendations, which loses those. One row per row that counts in a
-- month; `month` is NULL where the extracts do not know it, or knew it otherwise.
INSERT INTO purge_rows (kind, id, session_id, survives, month, source_hash)
WITH recommendations AS (
    SELECT
        r.id,
        r.session_id,
        yumai_pipelines.source_hash(r) AS source_hash
    FROM analytics.recommendations_log AS r
    WHERE r.session_id IN (SELECT b.session_id FROM purge_batch AS b)
),

feedback AS (
    SELECT
        f.id,
        f.session_id,
        FALSE AS survives,
        yumai_pipelines.source_hash(f) AS source_hash
    FROM analytics.user_feedback AS f
    WHERE f.session_id IN (SELECT b.session_id FROM purge_batch AS b)
    UNION ALL
    SELECT
        f.id,
        r.session_id,
        TRUE,
        yumai_pipelines.source_hash(f)
    FROM recommendations AS r
    INNER JOIN analytics.user_feedback AS f ON f.related_recommendation_id = r.id
    WHERE f.session_id NOT IN (SELECT b.session_id FROM purge_batch AS b)
)

SELECT
    'recommendation',
    r.id,
    r.session_id,
    FALSE,
    k.month,
    r.source_hash
FROM recommendations AS r
LEFT JOIN known_rows AS k ON k.kind = 'recommendation' AND k.id = r.id AND k.source_hash = r.source_hash
UNION ALL
SELECT
    'feedback',
    f.id,
    f.session_id,
    f.survives,
    k.month,
    f.source_hash
FROM feedback AS f
LEFT JOIN known_rows AS k ON k.kind = 'feedback' AND k.id = f.id AND k.source_hash = f.source_hash
-- That has left its month before, with its recommendation.
WHERE NOT EXISTS (SELECT FROM yumai_pipelines.counted_feedback AS c WHERE c.feedback_id = f.id)
