-- Locks the feedback that is given in purge_batch, or on its recommendations: it cannot change. One row: how many.
SELECT count(*)
FROM (
    SELECT f.id
    FROM analytics.user_feedback AS f
    WHERE f.id IN (
        SELECT given.id
        FROM purge_batch AS b
        INNER JOIN analytics.user_feedback AS given ON given.session_id = b.session_id
        UNION ALL
        SELECT received.id
        FROM purge_batch AS b
        INNER JOIN analytics.recommendations_log AS r ON r.session_id = b.session_id
        INNER JOIN analytics.user_feedback AS received ON received.related_recommendation_id = r.id
    )
    FOR UPDATE
) AS locked
