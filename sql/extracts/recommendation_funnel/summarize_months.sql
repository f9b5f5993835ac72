-- Sums up the months %(months)s (their first days): one row per month, for the metadata of its materialization.
SELECT
    wanted.month,
    count(f.month) AS rows,
    coalesce(sum(f.recommendations), 0)::bigint AS recommendations,
    coalesce(sum(f.selections), 0)::bigint AS selections,
    coalesce(sum(f.feedback_count), 0)::bigint AS feedbacks,
    coalesce(sum(f.rating_count), 0)::bigint AS ratings,
    round(sum(f.selections) / nullif(sum(f.recommendations), 0), 5)::double precision AS selection_rate,
    round(sum(f.feedback_rate * f.recommendations) / nullif(sum(f.recommendations), 0), 5)::double precision AS feedback_rate,
    round(sum(f.rating_mean * f.rating_count) / nullif(sum(f.rating_count), 0), 3)::double precision AS rating_mean
FROM unnest(%(months)s::date[]) AS wanted (month)
LEFT JOIN {extract} AS f ON f.month = wanted.month
GROUP BY wanted.month
ORDER BY wanted.month
