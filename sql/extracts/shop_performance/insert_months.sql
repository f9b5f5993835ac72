-- Fills the staged months. One row per month and shop that was listed, chosen or spoken of; shops of fewer than
-- %(min_group_users)s users become one row, -1, whose rates are NULL if it has fewer still.
INSERT INTO extracts.shop_performance (
    month, shop_id, shop_name, shop_category, listed, listed_top, mean_rank, users, selections, selections_listed,
    selection_rate, feedback_count, rating_count, rating_mean, positive, negative
)
WITH places AS (
    -- By user first: that makes users countable without sorting every place.
    SELECT
        r.month,
        coalesce(place.shop_id, 0) AS shop_id,
        r.user_id,
        count(*) AS listed,
        count(*) FILTER (WHERE place.rank = 1) AS listed_top,
        sum(place.rank) AS rank_sum
    FROM staged_recommendations AS r
    CROSS JOIN LATERAL unnest(r.listed) WITH ORDINALITY AS place (shop_id, rank)
    -- A shop that stands twice in a list counts with its first place.
    WHERE array_position(r.listed, place.shop_id) = place.rank
    GROUP BY 1, 2, 3
),

choices AS (
    SELECT
        r.month,
        r.selected_shop_id AS shop_id,
        count(*) AS selections,
        count(r.selected_rank) AS selections_listed
    FROM staged_recommendations AS r
    WHERE r.selected
    GROUP BY 1, 2
),

opinions AS (
    SELECT
        f.month,
        f.shop_id,
        count(*) AS feedbacks,
        count(f.rating) AS ratings,
        sum(f.rating) AS rating_sum,
        count(*) FILTER (WHERE f.verdict > 0) AS positive,
        count(*) FILTER (WHERE f.verdict < 0) AS negative
    FROM staged_feedback AS f
    WHERE f.shop_id IS NOT NULL
    GROUP BY 1, 2
),

small AS (
    SELECT m.month, m.shop_id
    FROM (
        SELECT p.month, p.shop_id, p.user_id FROM places AS p
        UNION ALL
        SELECT c.month, c.shop_id, NULL FROM choices AS c
        UNION ALL
        SELECT o.month, o.shop_id, NULL FROM opinions AS o
    ) AS m
    WHERE %(min_group_users)s::int > 1
    GROUP BY m.month, m.shop_id
    HAVING count(DISTINCT m.user_id) < %(min_group_users)s::int
),

measured AS (
    SELECT
        p.month,
        p.shop_id,
        sum(p.listed) AS listed,
        sum(p.listed_top) AS listed_top,
        sum(p.rank_sum) AS rank_sum,
        count(p.user_id) AS users,
        0 AS selections,
        0 AS selections_listed,
        0 AS feedbacks,
        0 AS ratings,
        NULL::numeric AS rating_sum,
        0 AS positive,
        0 AS negative
    FROM places AS p
    GROUP BY 1, 2
    UNION ALL
    SELECT c.month, c.shop_id, 0, 0, NULL, 0, c.selections, c.selections_listed, 0, 0, NULL, 0, 0
    FROM choices AS c
    UNION ALL
    SELECT o.month, o.shop_id, 0, 0, NULL, 0, 0, 0, o.feedbacks, o.ratings, o.rating_sum, o.positive, o.negative
    FROM opinions AS o
),

summed AS (
    SELECT
        m.month,
        CASE WHEN s.month IS NULL THEN m.shop_id ELSE -1 END AS shop_id,
        sum(m.listed) AS listed,
        sum(m.listed_top) AS listed_top,
        sum(m.rank_sum) AS rank_sum,
        sum(m.users) AS users,
        sum(m.selections) AS selections,
        sum(m.selections_listed) AS selections_listed,
        sum(m.feedbacks) AS feedbacks,
        sum(m.ratings) AS ratings,
        sum(m.rating_sum) AS rating_sum,
        sum(m.positive) AS positive,
        sum(m.negative) AS negative
    FROM measured AS m
    LEFT JOIN small AS s ON s.month = m.month AND s.shop_id = m.shop_id
    GROUP BY 1, 2
),

merged_users AS (
    -- Somebody to whom several of the merged shops were listed is one user of the merged row.
    SELECT p.month, count(DISTINCT p.user_id) AS users
    FROM places AS p
    INNER JOIN small AS s ON s.month = p.month AND s.shop_id = p.shop_id
    GROUP BY p.month
)

SELECT
    g.month,
    g.shop_id,
    shop.shop_name,
    CASE WHEN g.shop_id = -1 THEN 'suppressed' ELSE coalesce(shop.category, 'unknown') END,
    g.listed,
    g.listed_top,
    CASE WHEN shown.rates THEN g.rank_sum::double precision / nullif(g.listed, 0) END,
    shown.users,
    g.selections,
    g.selections_listed,
    CASE WHEN shown.rates THEN round(g.selections_listed / nullif(g.listed, 0), 5) END,
    g.feedbacks,
    g.ratings,
    CASE WHEN shown.rates THEN round(g.rating_sum / nullif(g.ratings, 0), 3) END,
    g.positive,
    g.negative
FROM summed AS g
LEFT JOIN chatbot.shops AS shop ON shop.id = g.shop_id
LEFT JOIN merged_users AS merged ON merged.month = g.month AND g.shop_id = -1
CROSS JOIN LATERAL (
    SELECT
        people.users,
        %(min_group_users)s::int = 1 OR people.users >= %(min_group_users)s::int AS rates
    FROM (SELECT CASE WHEN g.shop_id = -1 THEN coalesce(merged.users, 0) ELSE g.users END AS users) AS people
) AS shown
