-- The months of the extract %(extract)s with pseudonyms under another secret than %(user_key_id)s, and with nothing left to build
-- them from: what they hold of a person cannot be told from what they hold of others.
SELECT l.month
FROM extracts.ledger AS l
WHERE l.extract = %(extract)s AND l.user_key_id <> %(user_key_id)s AND l.purged_at IS NOT NULL
ORDER BY l.month
