-- Locks the recommendations of the sessions of purge_batch, so that they cannot change or get new feedback, and lists them in
-- purge_rows. One row per recommendation; `month` is NULL where the extracts of safe months do not know it as it is now.
INSERT INTO purge_rows (id, is_recommendation, session_id, month, source_hash)
SELECT
    locked.id,
    TRUE,
    locked.session_id,
    (
        SELECT k.month
        FROM known_rows AS k
        WHERE k.id = locked.id AND k.is_recommendation AND k.source_hash = locked.source_hash
    ),
    locked.source_hash
FROM (
    SELECT
        r.id,
        r.session_id,
        yumai_pipelines.source_hash(r) AS source_hash
    FROM analytics.recommendations_log AS r
    WHERE r.session_id = ANY(array(SELECT b.session_id FROM purge_batch AS b))
    FOR UPDATE
) AS locked
