-- Compares what the logs hold with what the extract says, for the adjoining months %(months)s (their first days), whose
-- bounds are %(bounds)s. One row per month and measure. The counts are made month by month, so not in the way that the
-- extract is built.
WITH period AS (
    SELECT
        wanted.month,
        (%(bounds)s::timestamptz[])[wanted.number] AS lower_bound,
        (%(bounds)s::timestamptz[])[wanted.number + 1] AS upper_bound
    FROM unnest(%(months)s::date[]) WITH ORDINALITY AS wanted (month, number)
),

said AS (
    SELECT
        f.feedback_content,
        r.id IS NOT NULL AS is_linked,
        coalesce(r.time_stamp, f.time_stamp) AS counted_at
    FROM analytics.user_feedback AS f
    LEFT JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
    LEFT JOIN yumai_pipelines.counted_feedback AS c ON c.feedback_id = f.id
    WHERE c.feedback_id IS NULL
)

SELECT p.month, measure.name, measure.in_source, measure.in_extract
FROM period AS p
CROSS JOIN LATERAL (
    SELECT
        count(*) AS feedbacks,
        count(*) FILTER (WHERE s.is_linked) AS linked,
        count(*) FILTER (
            WHERE s.feedback_content @? 'strict $.rating ? (@.type() == "number" && @ >= 1 && @ <= 5)'
            OR s.feedback_content @? 'strict $.rating ? (@.type() == "string"
                && @ like_regex "^[ \\t\\n\\r]*([1-4](\\.\\d{1,6})?|5(\\.0{1,6})?)[ \\t\\n\\r]*$")'
        ) AS ratings
    FROM said AS s
    WHERE s.counted_at >= p.lower_bound AND s.counted_at < p.upper_bound
) AS log
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(e.feedback_count), 0)::bigint AS feedbacks,
        coalesce(sum(e.linked), 0)::bigint AS linked,
        coalesce(sum(e.rating_count), 0)::bigint AS ratings
    FROM extracts.feedback_summary AS e
    WHERE e.month = p.month
) AS extracted
CROSS JOIN LATERAL (
    VALUES
    ('feedbacks', log.feedbacks, extracted.feedbacks),
    ('feedbacks on a recommendation', log.linked, extracted.linked),
    ('valid ratings', log.ratings, extracted.ratings)
) AS measure (name, in_source, in_extract)
ORDER BY p.month, measure.name
