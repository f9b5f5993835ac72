-- Fills the staged months. One row per month and shop that was listed, chosen or spoken of; shops of fewer than
-- %(min_group_users)s users become one row, -1, whose rates are NULL if it has fewer still.
INSERT INTO {extract} (
    month, shop_id, shop_name, shop_category, listed, listed_top, mean_rank, users, selections, selections_listed,
    selection_rate, feedback_count, rating_count, rating_mean, positive, negative
)
WITH places AS NOT MATERIALIZED (
    SELECT
        r.month,
        coalesce(r.place, 0) AS shop_id,
        r.rank,
        r.user_id
    FROM (
        -- Side by side in one pass: joined to unnest WITH ORDINALITY, they would take twice as long.
        SELECT
            s.month,
            s.user_id,
            s.listed,
            unnest(s.listed) AS place,
            generate_subscripts(s.listed, 1) AS rank
        FROM staged_recommendations AS s
    ) AS r
    -- A shop that stands twice in a list counts with its first place, which is never behind this one. >=: the planner
    -- would take = for a condition that nearly no row fulfils.
    WHERE array_position(r.listed, r.place) >= r.rank
),

small AS MATERIALIZED (
    SELECT m.month, m.shop_id
    FROM (
        SELECT p.month, p.shop_id, p.user_id FROM places AS p
        UNION ALL
        SELECT r.month, r.selected_shop_id, NULL FROM staged_recommendations AS r WHERE r.selected
        UNION ALL
        SELECT f.month, f.shop_id, NULL FROM staged_feedback AS f WHERE f.shop_id IS NOT NULL
    ) AS m
    WHERE %(min_group_users)s::int > 1
    GROUP BY m.month, m.shop_id
    HAVING count(DISTINCT m.user_id) < %(min_group_users)s::int
),

measured AS (
    SELECT
        p.month,
        CASE WHEN s.month IS NULL THEN p.shop_id ELSE -1 END AS shop_id,
        count(*) AS listed,
        count(*) FILTER (WHERE p.rank = 1) AS listed_top,
        sum(p.rank) AS rank_sum,
        count(DISTINCT p.user_id) AS users,
        0 AS selections,
        0 AS selections_listed,
        0 AS feedbacks,
        0 AS ratings,
        NULL::numeric AS rating_sum,
        0 AS positive,
        0 AS negative
    FROM places AS p
    LEFT JOIN small AS s ON s.month = p.month AND s.shop_id = p.shop_id
    GROUP BY 1, 2
    UNION ALL
    SELECT
        r.month,
        CASE WHEN s.month IS NULL THEN r.selected_shop_id ELSE -1 END,
        0,
        0,
        NULL,
        0,
        count(*),
        count(r.selected_rank),
        0,
        0,
        NULL,
        0,
        0
    FROM staged_recommendations AS r
    LEFT JOIN small AS s ON s.month = r.month AND s.shop_id = r.selected_shop_id
    WHERE r.selected
    GROUP BY 1, 2
    UNION ALL
    SELECT
        f.month,
        CASE WHEN s.month IS NULL THEN f.shop_id ELSE -1 END,
        0,
        0,
        NULL,
        0,
        0,
        0,
        count(*),
        count(f.rating),
        sum(f.rating),
        count(*) FILTER (WHERE f.verdict > 0),
        count(*) FILTER (WHERE f.verdict < 0)
    FROM staged_feedback AS f
    LEFT JOIN small AS s ON s.month = f.month AND s.shop_id = f.shop_id
    WHERE f.shop_id IS NOT NULL
    GROUP BY 1, 2
),

summed AS (
    SELECT
        m.month,
        m.shop_id,
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
    GROUP BY m.month, m.shop_id
)

SELECT
    g.month,
    g.shop_id,
    shop.shop_name,
    CASE WHEN g.shop_id = -1 THEN 'suppressed' ELSE coalesce(shop.category, 'unknown') END,
    g.listed,
    g.listed_top,
    CASE WHEN shown.rates THEN g.rank_sum::double precision / nullif(g.listed, 0)::double precision END,
    g.users,
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
CROSS JOIN LATERAL (SELECT %(min_group_users)s::int = 1 OR g.users >= %(min_group_users)s::int AS rates) AS shown
-- As the key is ordered: its index grows at its end.
ORDER BY g.month, g.shop_id
