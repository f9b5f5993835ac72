-- The months of the extract %(extract)s whose pseudonyms were made with other secrets than those with the fingerprints
-- %(user_key_ids)s, so that a person's rows cannot be found. With each, whether its sources are purged, so that it cannot be
-- built again.
SELECT
    l.month,
    l.purged_at IS NOT NULL AS purged
FROM extracts.ledger AS l
WHERE l.extract = %(extract)s AND l.user_key_id <> all(%(user_key_ids)s)
ORDER BY l.month
