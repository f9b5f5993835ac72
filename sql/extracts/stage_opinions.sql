-- Sums staged_feedback up for each of staged_recommendations that has some, for the extracts that go by recommendation.
CREATE TEMPORARY TABLE staged_opinions ON COMMIT DROP AS
SELECT
    f.recommendation_id AS id,
    count(*) AS feedbacks,
    count(f.rating) AS ratings,
    sum(f.rating) AS rating_sum,
    max(f.time_stamp) FILTER (WHERE isfinite(f.time_stamp)) AS last_at
FROM staged_feedback AS f
WHERE f.recommendation_id IS NOT NULL
GROUP BY f.recommendation_id
