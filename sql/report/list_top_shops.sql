-- The shops that were chosen most in the month %(month)s (its first day). At most %(shops)s rows, one per shop.
SELECT
    e.shop_name,
    e.shop_category,
    e.listed,
    e.selections,
    e.selection_rate::double precision AS selection_rate,
    e.rating_mean::double precision AS rating_mean,
    e.rating_count
FROM extracts.shop_performance AS e
WHERE e.month = %(month)s AND e.shop_id > 0 AND e.shop_name IS NOT NULL AND e.selections > 0
ORDER BY e.selections DESC, e.selection_rate DESC, e.shop_id ASC
LIMIT %(shops)s
