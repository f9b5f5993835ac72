-- Sums up the months %(months)s (their first days): one row per month, for the metadata of its materialization.
SELECT
    wanted.month,
    count(e.month) AS rows,
    coalesce(sum(e.listed), 0)::bigint AS listed,
    coalesce(sum(e.listed) FILTER (WHERE e.shop_name IS NULL AND e.shop_id > 0), 0)::bigint AS listed_of_shops_that_are_gone,
    coalesce(sum(e.listed) FILTER (WHERE e.shop_id = 0), 0)::bigint AS listed_without_a_readable_shop,
    coalesce(sum(e.selections), 0)::bigint AS selections,
    coalesce(sum(e.feedback_count), 0)::bigint AS feedbacks,
    coalesce(sum(e.positive), 0)::bigint AS positive,
    coalesce(sum(e.negative), 0)::bigint AS negative,
    round(sum(e.selections_listed) / nullif(sum(e.listed), 0), 5)::double precision AS selection_rate,
    round(sum(e.rating_mean * e.rating_count) / nullif(sum(e.rating_count), 0), 3)::double precision AS rating_mean
FROM unnest(%(months)s::date[]) AS wanted (month)
LEFT JOIN {extract} AS e ON e.month = wanted.month
GROUP BY wanted.month
ORDER BY wanted.month
