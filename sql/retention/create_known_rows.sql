-- Lists the rows that the extracts of the months %(months)s (their first days) are built from, with their fingerprints, in a
-- table that exists as long as the connection. Month i is from %(bounds)s[i] up to %(bounds)s[i + 1]. One row per
-- recommendation and feedback. They must be the rows of staged_recommendations and staged_feedback: if a row or its month
-- were different, the fingerprint that the ledger has of the month would differ too.
CREATE TEMPORARY TABLE known_rows ON COMMIT PRESERVE ROWS AS
WITH recommendations AS (
    SELECT
        r.id,
        (%(months)s::date[])[width_bucket(r.time_stamp, %(bounds)s::timestamptz[])] AS month,
        yumai_pipelines.source_hash(r) AS source_hash
    FROM analytics.recommendations_log AS r
    WHERE
        r.time_stamp >= (%(bounds)s::timestamptz[])[1]
        AND r.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
)

SELECT
    r.id,
    TRUE AS is_recommendation,
    r.month,
    r.source_hash
FROM recommendations AS r
UNION ALL
SELECT
    linked.id,
    FALSE,
    r.month,
    yumai_pipelines.source_hash(linked)
FROM analytics.user_feedback AS linked
INNER JOIN recommendations AS r ON r.id = linked.related_recommendation_id
UNION ALL
SELECT
    unlinked.id,
    FALSE,
    (%(months)s::date[])[width_bucket(unlinked.time_stamp, %(bounds)s::timestamptz[])],
    yumai_pipelines.source_hash(unlinked)
FROM analytics.user_feedback AS unlinked
WHERE
    unlinked.time_stamp >= (%(bounds)s::timestamptz[])[1]
    AND unlinked.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
    AND unlinked.related_recommendation_id IS NULL
    -- Without feedback that has counted with its recommendation, which retention has deleted.
    AND NOT EXISTS (SELECT FROM yumai_pipelines.counted_feedback AS c WHERE c.feedback_id = unlinked.id)
