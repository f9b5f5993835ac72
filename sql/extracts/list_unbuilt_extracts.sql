-- Extracts among %(extracts)s that lack the month %(month)s (its first day), although the log has rows from %(lower_bound)s
-- up to %(upper_bound)s. One row per extract.
SELECT wanted.extract
FROM unnest(%(extracts)s::text[]) AS wanted (extract)
WHERE
    NOT EXISTS (SELECT FROM extracts.ledger AS l WHERE l.extract = wanted.extract AND l.month = %(month)s)
    AND EXISTS (
        SELECT FROM analytics.recommendations_log AS r WHERE r.time_stamp >= %(lower_bound)s AND r.time_stamp < %(upper_bound)s
    )
ORDER BY wanted.extract
