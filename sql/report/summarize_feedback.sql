-- The numbers of feedback and of ratings in the month %(month)s (its first day). One row per feedback type, the most frequent
-- first.
SELECT
    e.feedback_type,
    sum(e.feedback_count)::bigint AS feedbacks,
    sum(e.rating_1)::bigint AS rating_1,
    sum(e.rating_2)::bigint AS rating_2,
    sum(e.rating_3)::bigint AS rating_3,
    sum(e.rating_4)::bigint AS rating_4,
    sum(e.rating_5)::bigint AS rating_5,
    sum(e.invalid_ratings)::bigint AS invalid_ratings
FROM extracts.feedback_summary AS e
WHERE e.month = %(month)s
GROUP BY e.feedback_type
ORDER BY feedbacks DESC, e.feedback_type ASC
