-- The months of the extract %(extract)s with pseudonyms under other secrets than %(user_key_ids)s: what they hold of a person
-- cannot be told from what they hold of others. With each, whether it can no longer be built anew.
SELECT
    l.month,
    l.purged_at IS NOT NULL AS purged
FROM extracts.ledger AS l
WHERE l.extract = %(extract)s AND l.user_key_id <> all(%(user_key_ids)s)
ORDER BY l.month
