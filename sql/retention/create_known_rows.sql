-- Keeps, beyond the transaction that staged them, the rows that the extracts of the months %(months)s (their first days)
-- were built from: one row per recommendation and feedback, by its fingerprint.
CREATE TEMPORARY TABLE known_rows ON COMMIT PRESERVE ROWS AS
SELECT
    'recommendation' AS kind,
    r.id,
    r.month,
    r.source_hash
FROM staged_recommendations AS r
WHERE r.month = ANY(%(months)s::date[])
UNION ALL
SELECT
    'feedback',
    f.id,
    f.month,
    f.source_hash
FROM staged_feedback AS f
WHERE f.month = ANY(%(months)s::date[])
