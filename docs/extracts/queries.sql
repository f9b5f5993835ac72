-- Which method leads to a choice, month by month?
SELECT
    month,
    recommendation_method,
    sum(recommendations) AS recommendations,
    round(sum(selections) / nullif(sum(recommendations), 0), 3) AS selection_rate
FROM extracts.recommendation_funnel
GROUP BY month, recommendation_method
ORDER BY month, recommendation_method;

-- Which shops do people choose when they are listed first, in the latest month?
SELECT
    shop_name,
    shop_category,
    listed_top,
    selection_rate,
    rating_mean
FROM extracts.shop_performance
WHERE month = (SELECT max(month) FROM extracts.shop_performance) AND shop_id > 0 AND listed_top >= 3
ORDER BY selection_rate DESC NULLS LAST, listed_top DESC
LIMIT 20;

-- Which ranks are chosen, and how fast?
SELECT
    selected_rank,
    count(*) AS choices,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds_to_selection) AS median_seconds
FROM extracts.recommendation_outcomes
WHERE was_selected
GROUP BY selected_rank
ORDER BY selected_rank;

-- How many users come back in the next month?
SELECT
    this.month,
    count(*) AS users,
    count(next.user_key) AS came_back
FROM (SELECT DISTINCT month, user_key FROM extracts.recommendation_outcomes WHERE user_key IS NOT NULL) AS this
LEFT JOIN (SELECT DISTINCT month, user_key FROM extracts.recommendation_outcomes) AS next
    ON next.user_key = this.user_key AND next.month = (this.month + interval '1 month')::date
GROUP BY this.month
ORDER BY this.month;

-- Which score is best calibrated? (expected calibration error; 0 is perfect)
SELECT
    score,
    round(sum(recommendations * abs(mean_score - selection_rate)) / sum(recommendations), 4) AS calibration_error
FROM extracts.score_calibration
WHERE mean_score IS NOT NULL AND selection_rate IS NOT NULL
GROUP BY score
ORDER BY calibration_error;

-- What share of the ratings cannot be read?
SELECT
    month,
    sum(rating_count) AS valid,
    sum(invalid_ratings) AS invalid,
    round(sum(invalid_ratings) / nullif(sum(rating_count) + sum(invalid_ratings), 0), 4) AS share
FROM extracts.feedback_summary
GROUP BY month
ORDER BY month;

-- Which months are final and proven, as of when are they, and which can be compared user by user?
SELECT
    l.month,
    bool_and(l.checks_passed) AS proven,
    min(l.as_of) AS as_of,
    min(c.changed_since) AS changed_since,
    max(l.purged_at) AS purged_at,
    min(l.user_key_id) AS user_key_id
FROM extracts.ledger AS l
LEFT JOIN extracts.changed_months AS c ON c.month = l.month
GROUP BY l.month
ORDER BY l.month;
