-- Builds the five extracts in DuckDB, from logs without dirt: one that is asked for the exact rules would take longer. pg is
-- the database; $ipad and $opad are the padded keys of an HMAC, which DuckDB lacks.
CREATE TEMP MACRO ratio(total, number, digits) AS (
    -- Rounded as numeric is, without the error of a double.
    (2 * (total * 1000)::HUGEINT * 10 ** digits::HUGEINT + 1000 * number)::HUGEINT // (2000 * number)::HUGEINT
    / 10 ** digits
);
CREATE TEMP MACRO month_of(instant) AS date_trunc('month', timezone('Asia/Seoul', instant))::DATE;
CREATE TEMP TABLE shops AS FROM pg.chatbot.shops;
CREATE TEMP TABLE sessions AS SELECT session_id, session_start, session_type FROM pg.chatbot.session_master;
CREATE TEMP TABLE made AS
SELECT
    l.* EXCLUDE (places),
    month_of(l.time_stamp) AS month,
    coalesce(l.recommendation_method, 'unknown') AS method,
    coalesce(s.category, 'unknown') AS category,
    s.is_food_card_shop,
    s.is_good_influence_shop,
    json_type(l.places) = 'ARRAY' AS is_list,
    CASE WHEN json_type(l.places) = 'ARRAY' THEN (l.places -> '$[*].shop_id')::BIGINT[] ELSE [] END AS listed,
    l.user_selection IS NOT NULL AS selected,
    (l.user_selection ->> 'shop_id')::BIGINT AS chosen,
    CASE
        WHEN l.user_selection IS NOT NULL THEN (epoch_us(l.selection_timestamp) - epoch_us(l.time_stamp)) / 1e6
    END AS seconds
FROM (
    SELECT
        id, user_id, shop_id, session_id, time_stamp, request_food_type, request_budget, request_location,
        recommendations::JSON AS places, user_selection::JSON AS user_selection, selection_timestamp,
        recommendation_method, confidence_score, wide_score, deep_score, rag_score
    FROM pg.analytics.recommendations_log
) AS l
LEFT JOIN shops AS s ON s.id = l.shop_id;
CREATE TEMP TABLE said AS
SELECT
    f.*,
    coalesce(m.month, month_of(f.time_stamp)) AS month,
    (f.content ->> 'rating')::DECIMAL(4, 3) AS rating,
    f.content ->> 'sentiment' AS sentiment
FROM (
    SELECT
        session_id, user_id, related_recommendation_id, time_stamp, feedback_type, feedback_target_type AS target_type,
        CASE WHEN feedback_target_type = 'shop' THEN feedback_target_id::BIGINT END AS shop_id,
        feedback_content::JSON AS content
    FROM pg.analytics.user_feedback
) AS f
LEFT JOIN made AS m ON m.id = f.related_recommendation_id
WHERE coalesce(m.month, month_of(f.time_stamp)) <= (SELECT max(month) FROM made);
CREATE TEMP TABLE opinions AS
SELECT
    related_recommendation_id AS id,
    count(*) AS feedbacks,
    count(rating) AS ratings,
    sum(rating) AS rating_sum,
    max(time_stamp) AS last_at
FROM said
WHERE related_recommendation_id IS NOT NULL
GROUP BY ALL;
INSERT INTO pg.extracts.recommendation_outcomes
WITH people AS MATERIALIZED (
    SELECT user_id, sha256($opad::BLOB || unhex(sha256($ipad::BLOB || user_id::VARCHAR::BLOB)))[:32] AS user_key
    FROM (SELECT DISTINCT user_id FROM made WHERE user_id IS NOT NULL)
)

SELECT
    m.month, m.id, m.time_stamp, p.user_key, coalesce(s.session_type, 'unknown'),
    (epoch_us(m.time_stamp) - epoch_us(s.session_start)) / 1e6,
    CASE WHEN m.request_food_type IS NOT NULL THEN coalesce(c.category, 'other') END,
    m.request_budget, m.request_location IS NOT NULL, m.method,
    m.confidence_score, m.wide_score, m.deep_score, m.rag_score,
    m.shop_id, m.category, m.is_food_card_shop, m.is_good_influence_shop,
    m.is_list, len(m.listed), list_count(list_filter(m.listed, lambda place: place IS NULL)),
    m.selected, m.chosen, list_position(m.listed, m.chosen), m.seconds,
    coalesce(o.feedbacks, 0), coalesce(o.ratings, 0),
    CASE WHEN o.ratings > 0 THEN ratio(o.rating_sum, o.ratings, 3) END,
    o.last_at
FROM made AS m
LEFT JOIN sessions AS s USING (session_id)
LEFT JOIN people AS p USING (user_id)
LEFT JOIN (SELECT DISTINCT category FROM shops) AS c ON c.category = m.request_food_type
LEFT JOIN opinions AS o USING (id);
INSERT INTO pg.extracts.recommendation_funnel
SELECT
    month, method, category, sum(recommendations), count(DISTINCT session_id), count(DISTINCT user_id),
    count(*) FILTER (WHERE selected),
    CASE WHEN sum(recommendations) > 0 THEN ratio(count(*) FILTER (WHERE selected), sum(recommendations), 5) END,
    quantile_cont(seconds, 0.5), sum(feedbacks),
    CASE
        WHEN sum(recommendations) > 0
            THEN ratio(count(*) FILTER (WHERE recommendations = 1 AND feedbacks > 0), sum(recommendations), 5)
    END,
    sum(ratings),
    CASE WHEN sum(ratings) > 0 THEN ratio(sum(rating_sum), sum(ratings), 3) END
FROM (
    SELECT
        m.month, m.method, m.category, 1 AS recommendations, m.session_id, m.user_id, m.selected, m.seconds,
        coalesce(o.feedbacks, 0) AS feedbacks, coalesce(o.ratings, 0) AS ratings, o.rating_sum
    FROM made AS m
    LEFT JOIN opinions AS o USING (id)
    UNION ALL
    SELECT month, 'unknown', 'unknown', 0, NULL, NULL, FALSE, NULL, count(*), count(rating), sum(rating)
    FROM said
    WHERE related_recommendation_id IS NULL
    GROUP BY month
)
GROUP BY month, method, category;
INSERT INTO pg.extracts.shop_performance
WITH places AS (
    SELECT month, user_id, unnest(listed) AS shop_id, generate_subscripts(listed, 1) AS rank, listed FROM made
),

measured AS (
    SELECT
        month, shop_id, count(*) AS listed, count(*) FILTER (WHERE rank = 1) AS listed_top, sum(rank) AS rank_sum,
        count(DISTINCT user_id) AS users, 0 AS selections, 0 AS selections_listed, 0 AS feedbacks, 0 AS ratings,
        NULL::DECIMAL(18, 3) AS rating_sum, 0 AS positive, 0 AS negative
    FROM places
    WHERE list_position(listed, shop_id) = rank
    GROUP BY month, shop_id
    UNION ALL
    SELECT month, chosen, 0, 0, 0, 0, count(*), count(list_position(listed, chosen)), 0, 0, NULL, 0, 0
    FROM made
    WHERE chosen IS NOT NULL
    GROUP BY month, chosen
    UNION ALL
    SELECT
        month, shop_id, 0, 0, 0, 0, 0, 0, count(*), count(rating), sum(rating),
        count(*) FILTER (WHERE rating >= 4 OR (rating IS NULL AND sentiment = 'positive')),
        count(*) FILTER (WHERE rating <= 2 OR (rating IS NULL AND sentiment = 'negative'))
    FROM said
    WHERE shop_id IS NOT NULL
    GROUP BY month, shop_id
)

SELECT
    g.month, g.shop_id, s.shop_name, coalesce(s.category, 'unknown'), g.listed, g.listed_top,
    g.rank_sum::DOUBLE / nullif(g.listed, 0), g.users, g.selections, g.selections_listed,
    CASE WHEN g.listed > 0 THEN ratio(g.selections_listed, g.listed, 5) END, g.feedbacks, g.ratings,
    CASE WHEN g.ratings > 0 THEN ratio(g.rating_sum, g.ratings, 3) END, g.positive, g.negative
FROM (SELECT month, shop_id, sum(COLUMNS(* EXCLUDE (month, shop_id))) FROM measured GROUP BY month, shop_id) AS g
LEFT JOIN shops AS s ON s.id = g.shop_id
ORDER BY g.month, g.shop_id;
INSERT INTO pg.extracts.feedback_summary
SELECT
    month, coalesce(feedback_type, 'unknown'), coalesce(target_type, 'unknown'), count(*), count(DISTINCT user_id),
    count(DISTINCT session_id), count(related_recommendation_id), count(rating),
    CASE WHEN count(rating) > 0 THEN ratio(sum(rating), count(rating), 3) END,
    count(*) FILTER (WHERE round(rating) = 1), count(*) FILTER (WHERE round(rating) = 2),
    count(*) FILTER (WHERE round(rating) = 3), count(*) FILTER (WHERE round(rating) = 4),
    count(*) FILTER (WHERE round(rating) = 5), count(*) FILTER (WHERE rating IS NULL AND feedback_type = 'rating')
FROM said
GROUP BY ALL;
INSERT INTO pg.extracts.score_calibration
SELECT
    month, method, score, least(floor(value * 10)::INT, 9) + 1 AS decile, count(*),
    ratio(sum(value), count(*), 5), count(*) FILTER (WHERE selected), ratio(count(*) FILTER (WHERE selected), count(*), 5)
FROM (
    SELECT
        month, method, selected,
        unnest(['confidence', 'wide', 'deep', 'rag']) AS score,
        unnest([confidence_score, wide_score, deep_score, rag_score]) AS value
    FROM made
)
WHERE value IS NOT NULL
GROUP BY ALL
