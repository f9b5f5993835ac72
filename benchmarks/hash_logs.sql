-- The months among %(months)s (their first days) whose logs are not those that the ledger says they were built of, by the
-- fingerprints of all rows. Month i is from %(bounds)s[i] up to %(bounds)s[i + 1]. One row per month. Retention must have
-- deleted nothing.
SELECT DISTINCT l.month
FROM extracts.ledger AS l
LEFT JOIN (
    SELECT
        (%(months)s::date[])[width_bucket(logged.counts_at, %(bounds)s::timestamptz[])] AS month,
        bit_xor(logged.source_hash) AS source_hash
    FROM (
        SELECT
            r.time_stamp AS counts_at,
            yumai_pipelines.source_hash(r) AS source_hash
        FROM analytics.recommendations_log AS r
        UNION ALL
        SELECT
            coalesce(r.time_stamp, f.time_stamp),
            yumai_pipelines.source_hash(f)
        FROM analytics.user_feedback AS f
        LEFT JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
    ) AS logged
    GROUP BY 1
) AS found ON found.month = l.month
WHERE l.month = any(%(months)s::date[]) AND l.source_hash IS DISTINCT FROM coalesce(found.source_hash, 0)
