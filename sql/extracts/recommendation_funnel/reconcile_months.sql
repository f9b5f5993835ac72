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

in_source AS (
    SELECT
        p.month,
        (
            SELECT count(*)
            FROM analytics.recommendations_log AS r
            WHERE r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
        ) AS recommendations,
        (
            SELECT count(*)
            FROM analytics.recommendations_log AS r
            WHERE
                r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
                AND r.user_selection IS NOT NULL AND btrim(r.user_selection::text, E' \t\n\r') <> 'null'
        ) AS selections,
        (
            SELECT count(*)
            FROM analytics.user_feedback AS f
            INNER JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
            WHERE r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
        ) + (
            SELECT count(*)
            FROM analytics.user_feedback AS f
            LEFT JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
            LEFT JOIN yumai_pipelines.counted_feedback AS c ON c.feedback_id = f.id
            WHERE
                f.time_stamp >= p.lower_bound AND f.time_stamp < p.upper_bound
                AND r.id IS NULL AND c.feedback_id IS NULL
        ) AS feedbacks
    FROM period AS p
),

in_extract AS (
    SELECT
        p.month,
        coalesce(sum(f.recommendations), 0) AS recommendations,
        coalesce(sum(f.selections), 0) AS selections,
        coalesce(sum(f.feedback_count), 0) AS feedbacks
    FROM period AS p
    LEFT JOIN extracts.recommendation_funnel AS f ON f.month = p.month
    GROUP BY p.month
)

SELECT s.month, measure.name, measure.in_source::bigint, measure.in_extract::bigint
FROM in_source AS s
INNER JOIN in_extract AS e ON e.month = s.month
CROSS JOIN LATERAL (
    VALUES
    ('recommendations', s.recommendations, e.recommendations),
    ('selections', s.selections, e.selections),
    ('feedbacks', s.feedbacks, e.feedbacks)
) AS measure (name, in_source, in_extract)
ORDER BY s.month, measure.name
