-- Fills the staged months. One row per month, feedback type and target type; groups of fewer than
-- %(min_group_users)s users become one row, whose mean is NULL if it has fewer still.
INSERT INTO {extract} (
    month, feedback_type, target_type, feedback_count, users, sessions, linked, rating_count, rating_mean,
    rating_1, rating_2, rating_3, rating_4, rating_5, invalid_ratings
)
WITH small AS (
    SELECT f.month, f.feedback_type, f.target_type
    FROM staged_feedback AS f
    WHERE %(min_group_users)s::int > 1
    GROUP BY f.month, f.feedback_type, f.target_type
    HAVING count(DISTINCT f.user_id) < %(min_group_users)s::int
),

summed AS (
    SELECT
        f.month,
        CASE WHEN s.month IS NULL THEN f.feedback_type ELSE 'suppressed' END AS feedback_type,
        CASE WHEN s.month IS NULL THEN f.target_type ELSE 'suppressed' END AS target_type,
        count(*) AS feedbacks,
        count(DISTINCT f.user_id) AS users,
        count(DISTINCT f.session_id) AS sessions,
        count(f.recommendation_id) AS linked,
        count(f.rating) AS ratings,
        sum(f.rating) AS rating_sum,
        count(*) FILTER (WHERE round(f.rating) = 1) AS rating_1,
        count(*) FILTER (WHERE round(f.rating) = 2) AS rating_2,
        count(*) FILTER (WHERE round(f.rating) = 3) AS rating_3,
        count(*) FILTER (WHERE round(f.rating) = 4) AS rating_4,
        count(*) FILTER (WHERE round(f.rating) = 5) AS rating_5,
        count(*) FILTER (WHERE f.is_invalid_rating) AS invalid_ratings
    FROM staged_feedback AS f
    LEFT JOIN small AS s
        ON s.month = f.month AND s.feedback_type = f.feedback_type AND s.target_type = f.target_type
    GROUP BY 1, 2, 3
)

SELECT
    g.month,
    g.feedback_type,
    g.target_type,
    g.feedbacks,
    g.users,
    g.sessions,
    g.linked,
    g.ratings,
    CASE
        WHEN %(min_group_users)s::int = 1 OR g.users >= %(min_group_users)s::int
            THEN round(g.rating_sum / nullif(g.ratings, 0), 3)
    END,
    g.rating_1,
    g.rating_2,
    g.rating_3,
    g.rating_4,
    g.rating_5,
    g.invalid_ratings
FROM summed AS g
