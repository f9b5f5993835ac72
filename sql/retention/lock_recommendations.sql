-- Locks the recommendations of purge_batch: they cannot change, and no feedback on them can come in. One row: how many.
SELECT count(*)
FROM (
    SELECT r.id
    FROM analytics.recommendations_log AS r
    WHERE r.session_id IN (SELECT b.session_id FROM purge_batch AS b)
    FOR UPDATE
) AS locked
