-- Compares what the logs hold with what the extract says, for the adjoining months %(months)s (their first days), whose
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
        count(*) FILTER (
            WHERE r.user_selection IS NOT NULL AND btrim(r.user_selection::text, E' \t\n\r') <> 'null'
        ) AS selections,
        coalesce(
            sum(
                (
                    SELECT
                        count(DISTINCT item #>> '{shop_id}') FILTER (WHERE item #>> '{shop_id}' ~ '^[1-9]\d{0,17}$')
                        + coalesce(
                            max(1) FILTER (WHERE coalesce(item #>> '{shop_id}', '') !~ '^[1-9]\d{0,17}$'), 0
                        )
                    FROM jsonb_path_query(r.recommendations, 'strict $[*]', silent => TRUE) AS item
                )
            ),
            0
        )::bigint AS listed
    FROM analytics.recommendations_log AS r
    WHERE r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
) AS log
CROSS JOIN LATERAL (
    SELECT
        (
            SELECT count(*)
            FROM analytics.user_feedback AS f
            INNER JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
            WHERE f.feedback_target_type = 'shop' AND r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
        ) + (
            SELECT count(*)
            FROM analytics.user_feedback AS f
            LEFT JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
            LEFT JOIN yumai_pipelines.counted_feedback AS c ON c.feedback_id = f.id
            WHERE
                f.feedback_target_type = 'shop'
                AND f.time_stamp >= p.lower_bound AND f.time_stamp < p.upper_bound
                AND r.id IS NULL AND c.feedback_id IS NULL
        ) AS feedbacks
) AS said
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(e.listed), 0)::bigint AS listed,
        coalesce(sum(e.selections), 0)::bigint AS selections,
        coalesce(sum(e.feedback_count), 0)::bigint AS feedbacks
    FROM extracts.shop_performance AS e
    WHERE e.month = p.month
) AS extracted
CROSS JOIN LATERAL (
    VALUES
    ('listed', log.listed, extracted.listed),
    ('selections', log.selections, extracted.selections),
    ('feedbacks on shops', said.feedbacks, extracted.feedbacks)
) AS measure (name, in_source, in_extract)
ORDER BY p.month, measure.name
