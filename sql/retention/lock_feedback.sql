-- Locks the feedback that was given in the sessions of purge_batch, or on their recommendations, so that it cannot change,
-- and lists it in purge_rows. One row per feedback and session with which it leaves its month; `month` is NULL where the
-- extracts of safe months do not know the feedback as it is now.
INSERT INTO purge_rows (id, is_recommendation, session_id, given_in, month, source_hash)
SELECT
    locked.id,
    FALSE,
    locked.session_id,
    locked.given_in,
    (
        SELECT k.month
        FROM known_rows AS k
        WHERE k.id = locked.id AND NOT k.is_recommendation AND k.source_hash = locked.source_hash
    ),
    locked.source_hash
FROM (
    SELECT
        given.id,
        given.session_id,
        NULL::uuid AS given_in,
        given.source_hash
    FROM (
        SELECT
            f.id,
            f.session_id,
            yumai_pipelines.source_hash(f) AS source_hash
        FROM analytics.user_feedback AS f
        WHERE f.session_id = ANY(array(SELECT b.session_id FROM purge_batch AS b))
        FOR UPDATE
    ) AS given
    UNION ALL
    SELECT
        received.id,
        p.session_id,
        received.given_in,
        received.source_hash
    FROM purge_rows AS p
    CROSS JOIN LATERAL (
        SELECT
            f.id,
            f.session_id AS given_in,
            yumai_pipelines.source_hash(f) AS source_hash
        FROM analytics.user_feedback AS f
        WHERE f.related_recommendation_id = p.id AND f.session_id <> p.session_id
        FOR UPDATE
    ) AS received
) AS locked
-- Without feedback that has left its month before, with its recommendation.
WHERE NOT EXISTS (SELECT FROM yumai_pipelines.counted_feedback AS c WHERE c.feedback_id = locked.id)
