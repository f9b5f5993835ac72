-- Fills the staged months. One row per month, recommendation method and shop category; groups of fewer than
-- %(min_group_users)s users become one row, whose rates are NULL if it has fewer still.
INSERT INTO {extract} (
    month, recommendation_method, shop_category, recommendations, sessions, users, selections, selection_rate,
    median_seconds_to_selection, feedback_count, feedback_rate, rating_count, rating_mean
)
WITH unrelated AS (
    SELECT
        f.month,
        count(*) AS feedbacks,
        count(f.rating) AS ratings,
        sum(f.rating) AS rating_sum
    FROM staged_feedback AS f
    WHERE f.recommendation_id IS NULL
    GROUP BY f.month
),

measured AS NOT MATERIALIZED (
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
    FROM staged_recommendations AS r
    LEFT JOIN staged_opinions AS o ON o.id = r.id
    UNION ALL
    SELECT u.month, 'unknown', 'unknown', 0, NULL, NULL, FALSE, NULL, u.feedbacks, u.ratings, u.rating_sum
    FROM unrelated AS u
),

small AS (
    SELECT m.month, m.method, m.category
    FROM measured AS m
    WHERE %(min_group_users)s::int > 1
    GROUP BY m.month, m.method, m.category
    HAVING count(DISTINCT m.user_id) < %(min_group_users)s::int
),

summed AS (
    SELECT
        m.month,
        CASE WHEN s.month IS NULL THEN m.method ELSE 'suppressed' END AS method,
        CASE WHEN s.month IS NULL THEN m.category ELSE 'suppressed' END AS category,
        sum(m.recommendations) AS recommendations,
        count(DISTINCT m.session_id) AS sessions,
        count(DISTINCT m.user_id) AS users,
        count(*) FILTER (WHERE m.selected) AS selections,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY m.seconds_to_selection) AS median_seconds,
        coalesce(sum(m.feedbacks), 0) AS feedbacks,
        count(*) FILTER (WHERE m.recommendations = 1 AND m.feedbacks > 0) AS with_feedback,
        coalesce(sum(m.ratings), 0) AS ratings,
        sum(m.rating_sum) AS rating_sum
    FROM measured AS m
    LEFT JOIN small AS s ON s.month = m.month AND s.method = m.method AND s.category = m.category
    GROUP BY 1, 2, 3
)

SELECT
    g.month,
    g.method,
    g.category,
    g.recommendations,
    g.sessions,
    g.users,
    g.selections,
    CASE WHEN shown.rates THEN round(g.selections::numeric / nullif(g.recommendations, 0), 5) END,
    CASE WHEN shown.rates THEN g.median_seconds END,
    g.feedbacks,
    CASE WHEN shown.rates THEN round(g.with_feedback::numeric / nullif(g.recommendations, 0), 5) END,
    g.ratings,
    CASE WHEN shown.rates THEN round(g.rating_sum / nullif(g.ratings, 0), 3) END
FROM summed AS g
CROSS JOIN LATERAL (SELECT %(min_group_users)s::int = 1 OR g.users >= %(min_group_users)s::int AS rates) AS shown
