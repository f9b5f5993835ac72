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
        count(*) AS recommendations,
        count(DISTINCT r.user_id) AS users,
        count(*) FILTER (
            WHERE r.user_selection IS NOT NULL AND btrim(r.user_selection::text, E' \t\n\r') <> 'null'
        ) AS selections,
        coalesce(
            sum(
                (
                    SELECT count(*)
                    FROM jsonb_path_query(r.recommendations, 'strict $[*]', silent => TRUE)
                )
            ),
            0
        )::bigint AS places
    FROM analytics.recommendations_log AS r
    WHERE r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
) AS log
CROSS JOIN LATERAL (
    SELECT count(*) AS feedbacks
    FROM analytics.user_feedback AS f
    INNER JOIN analytics.recommendations_log AS r ON r.id = f.related_recommendation_id
    WHERE r.time_stamp >= p.lower_bound AND r.time_stamp < p.upper_bound
) AS said
CROSS JOIN LATERAL (
    SELECT
        count(*) AS recommendations,
        count(DISTINCT e.user_key) AS users,
        count(*) FILTER (WHERE e.was_selected) AS selections,
        coalesce(sum(e.listed_shops), 0)::bigint AS places,
        coalesce(sum(e.feedback_count), 0)::bigint AS feedbacks
    FROM extracts.recommendation_outcomes AS e
    WHERE e.month = p.month
) AS extracted
CROSS JOIN LATERAL (
    VALUES
    ('recommendations', log.recommendations, extracted.recommendations),
    ('users', log.users, extracted.users),
    ('selections', log.selections, extracted.selections),
    ('places in lists', log.places, extracted.places),
    ('feedbacks', said.feedbacks, extracted.feedbacks)
) AS measure (name, in_source, in_extract)
ORDER BY p.month, measure.name
