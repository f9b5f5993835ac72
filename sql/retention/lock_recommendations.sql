-- Locks the recommendations of purge_batch and lists them in purge_rows: they cannot change, and no feedback on them can come
-- in. One row per recommendation; `month` is NULL where the extracts of safe months do not know it, or knew it otherwise.
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
