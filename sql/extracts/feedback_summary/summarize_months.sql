-- Sums up the months %(months)s (their first days): one row per month, for the metadata of its materialization.
SELECT
    wanted.month,
    count(e.month) AS rows,
    coalesce(sum(e.feedback_count), 0)::bigint AS feedbacks,
    coalesce(sum(e.linked), 0)::bigint AS on_a_recommendation,
    coalesce(sum(e.rating_count), 0)::bigint AS ratings,
    coalesce(sum(e.invalid_ratings), 0)::bigint AS invalid_ratings,
    round(sum(e.rating_mean * e.rating_count) / nullif(sum(e.rating_count), 0), 3)::double precision AS rating_mean
FROM unnest(%(months)s::date[]) AS wanted (month)
LEFT JOIN {extract} AS e ON e.month = wanted.month
GROUP BY wanted.month
ORDER BY wanted.month
