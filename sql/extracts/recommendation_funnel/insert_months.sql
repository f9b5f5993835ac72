-- Fills the months %(months)s (their first days), which adjoin: month i is from %(bounds)s[i] up to %(bounds)s[i + 1].
-- One row per month, recommendation method and shop category. One pass over the logs, however many months.
INSERT INTO extracts.recommendation_funnel (
    month, recommendation_method, shop_category, recommendations, sessions, users, selections, selection_rate,
    median_seconds_to_selection, feedback_count, feedback_rate, rating_count, rating_mean
)
WITH period AS (
    SELECT
        %(months)s::date[] AS months,
        %(bounds)s::timestamptz[] AS bounds
),

recommended AS (
    SELECT
        r.id,
        r.session_id,
        r.user_id,
        p.months[width_bucket(r.time_stamp, p.bounds)] AS month,
        coalesce(r.recommendation_method, 'unknown') AS method,
        coalesce(s.category, 'unknown') AS category,
        -- json_typeof reads any JSON; a cast to jsonb refuses some that the column may hold.
        coalesce(json_typeof(r.user_selection) <> 'null', FALSE) AS selected,
        CASE
            WHEN
                json_typeof(r.user_selection) <> 'null'
                AND isfinite(r.selection_timestamp)
                AND r.selection_timestamp >= r.time_stamp
                THEN extract(EPOCH FROM r.selection_timestamp - r.time_stamp)::double precision
        END AS seconds_to_selection
    FROM analytics.recommendations_log AS r
    CROSS JOIN period AS p
    LEFT JOIN chatbot.shops AS s ON s.id = r.shop_id
    WHERE
        r.time_stamp >= (%(bounds)s::timestamptz[])[1]
        AND r.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
),

opinions AS (
    -- Whenever they were given: late feedback counts in the month of its recommendation.
    SELECT
        f.related_recommendation_id AS id,
        count(*) AS feedbacks,
        count(extracts.rating_of(f.feedback_content)) AS ratings,
        sum(extracts.rating_of(f.feedback_content)) AS rating_sum
    FROM analytics.user_feedback AS f
    WHERE f.related_recommendation_id IN (SELECT r.id FROM recommended AS r)
    GROUP BY f.related_recommendation_id
),

unrelated AS (
    -- Feedback on no recommendation counts in its own month.
    SELECT
        p.months[width_bucket(f.time_stamp, p.bounds)] AS month,
        count(*) AS feedbacks,
        count(extracts.rating_of(f.feedback_content)) AS ratings,
        sum(extracts.rating_of(f.feedback_content)) AS rating_sum
    FROM analytics.user_feedback AS f
    CROSS JOIN period AS p
    WHERE
        f.time_stamp >= (%(bounds)s::timestamptz[])[1]
        AND f.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
        AND NOT EXISTS (SELECT FROM analytics.recommendations_log AS r WHERE r.id = f.related_recommendation_id)
    GROUP BY 1
),

measured AS (
    SELECT
        r.month,
        r.method,
        r.category,
        1 AS recommendations,
        r.session_id,
        r.user_id,
        r.selected,
        r.seconds_to_selection,
        o.feedbacks,
        o.ratings,
        o.rating_sum
    FROM recommended AS r
    LEFT JOIN opinions AS o ON o.id = r.id
    UNION ALL
    SELECT u.month, 'unknown', 'unknown', 0, NULL, NULL, FALSE, NULL, u.feedbacks, u.ratings, u.rating_sum
    FROM unrelated AS u
)

SELECT
    m.month,
    m.method,
    m.category,
    sum(m.recommendations),
    count(DISTINCT m.session_id),
    count(DISTINCT m.user_id),
    count(*) FILTER (WHERE m.selected),
    round(count(*) FILTER (WHERE m.selected)::numeric / nullif(sum(m.recommendations), 0), 5),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY m.seconds_to_selection),
    coalesce(sum(m.feedbacks), 0),
    round(
        count(*) FILTER (WHERE m.recommendations = 1 AND m.feedbacks > 0)::numeric / nullif(sum(m.recommendations), 0), 5
    ),
    coalesce(sum(m.ratings), 0),
    round(sum(m.rating_sum) / nullif(sum(m.ratings), 0), 3)
FROM measured AS m
GROUP BY m.month, m.method, m.category
