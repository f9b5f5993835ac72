-- The shops that lost most selections in the month %(month)s (its first day), compared with their rate in the months
-- %(before)s, and lost more than chance explains: two standard errors. Shops that were listed fewer than %(fewest)s times
-- are left out. At most %(shops)s rows, one per shop.
WITH now AS (
    SELECT
        e.shop_id,
        e.shop_name,
        e.shop_category,
        e.listed,
        e.selections_listed,
        e.selection_rate::double precision AS selection_rate
    FROM extracts.shop_performance AS e
    WHERE e.month = %(month)s AND e.shop_id > 0 AND e.shop_name IS NOT NULL AND e.listed > 0
),

usual AS (
    SELECT
        e.shop_id,
        sum(e.selections_listed)::double precision / sum(e.listed)::double precision AS selection_rate,
        sum(e.listed) AS listed
    FROM extracts.shop_performance AS e
    WHERE e.month = ANY(%(before)s::date[]) AND e.listed > 0
    GROUP BY e.shop_id
)

SELECT
    n.shop_name,
    n.shop_category,
    n.listed,
    n.selection_rate,
    u.selection_rate AS usual_rate,
    round((u.selection_rate - n.selection_rate) * n.listed)::bigint AS lost
FROM now AS n
INNER JOIN usual AS u ON u.shop_id = n.shop_id
WHERE
    n.listed >= %(fewest)s AND u.listed >= %(fewest)s
    AND u.selection_rate - n.selection_rate
    > 2 * sqrt(u.selection_rate * (1 - u.selection_rate) * (1.0 / n.listed + 1.0 / u.listed::double precision))
ORDER BY (u.selection_rate - n.selection_rate) * n.listed DESC, n.shop_id
LIMIT %(shops)s
