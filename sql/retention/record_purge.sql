-- Adds what leaves with the sessions of purge_batch to the ledger's rows of its months, for every extract.
WITH leaving AS (
    SELECT
        p.month,
        count(*) FILTER (WHERE p.kind = 'recommendation') AS recommendations,
        count(*) FILTER (WHERE p.kind = 'feedback') AS feedback,
        bit_xor(p.source_hash) AS hash
    FROM purge_rows AS p
    INNER JOIN purge_batch AS b ON b.session_id = p.session_id
    GROUP BY p.month
)

UPDATE extracts.ledger AS l
SET
    purged_recommendations = l.purged_recommendations + g.recommendations,
    purged_feedback = l.purged_feedback + g.feedback,
    purged_hash = int8xor(l.purged_hash, g.hash),
    purged_at = clock_timestamp()
FROM leaving AS g
WHERE l.month = g.month
