-- Sums up the months %(months)s (their first days): one row per month, for the metadata of its materialization.
SELECT
    wanted.month,
    built.*
FROM unnest(%(months)s::date[]) AS wanted (month)
CROSS JOIN LATERAL (
    -- Month by month: each sort is small.
    SELECT
        count(*) AS rows,
        count(DISTINCT e.user_key) AS users,
        count(*) FILTER (WHERE e.was_selected) AS selections,
        count(*) FILTER (WHERE e.was_selected AND e.selected_rank IS NULL) AS selections_outside_the_list,
        count(*) FILTER (WHERE NOT e.list_is_readable) AS unreadable_lists,
        coalesce(sum(e.unreadable_shops), 0)::bigint AS unreadable_shops,
        coalesce(sum(e.feedback_count), 0)::bigint AS feedbacks,
        coalesce(sum(e.rating_count), 0)::bigint AS ratings,
        round(avg(e.was_selected::int), 5)::double precision AS selection_rate,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY e.seconds_to_selection) AS median_seconds_to_selection,
        round(avg((e.feedback_count > 0)::int), 5)::double precision AS feedback_rate,
        round(sum(e.rating_mean * e.rating_count) / nullif(sum(e.rating_count), 0), 3)::double precision AS rating_mean
    FROM {extract} AS e
    WHERE e.month = wanted.month
) AS built
ORDER BY wanted.month
