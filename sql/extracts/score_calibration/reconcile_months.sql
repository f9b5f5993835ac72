-- Compares what the log holds with what the extract says, for the adjoining months %(months)s (their first days), whose
-- bounds are %(bounds)s. One row per month and measure. The counts are made month by month, so not in the way that the
-- extract is built.
WITH period AS (
    SELECT
        wanted.month,
        (%(bounds)s::timestamptz[])[wanted.number] AS lower_bound,
        (%(bounds)s::timestamptz[])[wanted.number + 1] AS upper_bound
    FROM unnest(%(months)s::date[]) WITH ORDINALITY AS wanted (month, number)
)

SELECT p.month, measure.name, measure.in_source, measure.in_extract
FROM period AS p
CROSS JOIN LATERAL (
    SELECT
        count(r.confidence_score) AS confidence,
        count(r.wide_score) AS wide,
        count(r.deep_score) AS deep,
        count(r.rag_score) AS rag,
        coalesce(
            sum(num_nonnulls(r.confidence_score, r.wide_score, r.deep_score, r.rag_score)) FILTER (
                WHERE r.user_selection IS NOT NULL AND btrim(r.user_selection::text, E' \t\n\r') <> 'null'
            ),
            0
        ) AS selections
    FROM analytics.recommendations_log AS r
    WHERE r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
) AS log
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(e.recommendations) FILTER (WHERE e.score = 'confidence'), 0)::bigint AS confidence,
        coalesce(sum(e.recommendations) FILTER (WHERE e.score = 'wide'), 0)::bigint AS wide,
        coalesce(sum(e.recommendations) FILTER (WHERE e.score = 'deep'), 0)::bigint AS deep,
        coalesce(sum(e.recommendations) FILTER (WHERE e.score = 'rag'), 0)::bigint AS rag,
        coalesce(sum(e.selections), 0)::bigint AS selections
    FROM extracts.score_calibration AS e
    WHERE e.month = p.month
) AS extracted
CROSS JOIN LATERAL (
    VALUES
    ('confidence scores', log.confidence, extracted.confidence),
    ('wide scores', log.wide, extracted.wide),
    ('deep scores', log.deep, extracted.deep),
    ('rag scores', log.rag, extracted.rag),
    ('scores of selections', log.selections, extracted.selections)
) AS measure (name, in_source, in_extract)
ORDER BY p.month, measure.name
