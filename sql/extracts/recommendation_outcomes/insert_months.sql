-- Fills the months %(months)s (their first days) of {extract} from the staged ones. One row per recommendation.
-- %(user_key_secret)s makes the pseudonyms.
INSERT INTO {extract} (
    month, recommendation_id, recommended_at, user_key, session_type, seconds_into_session, request_category,
    request_budget, request_has_location, recommendation_method, confidence_score, wide_score, deep_score, rag_score,
    shop_id, shop_category, shop_takes_food_card, shop_is_good_influence, list_is_readable, listed_shops,
    unreadable_shops, was_selected, selected_shop_id, selected_rank, seconds_to_selection, feedback_count, rating_count,
    rating_mean, last_feedback_at
)
WITH people AS MATERIALIZED (
    -- Once for each user: an HMAC costs more than a join.
    SELECT
        known.user_id,
        left(encode(public.hmac(known.user_id::text, %(user_key_secret)s::text, 'sha256'), 'hex'), 32) AS user_key
    FROM (SELECT DISTINCT r.user_id FROM staged_recommendations AS r WHERE r.user_id IS NOT NULL) AS known
),

categories AS MATERIALIZED (
    SELECT DISTINCT s.category FROM chatbot.shops AS s WHERE s.category IS NOT NULL
)

SELECT
    r.month,
    r.id,
    r.time_stamp,
    p.user_key,
    coalesce(s.session_type, 'unknown'),
    CASE
        WHEN isfinite(s.session_start) AND s.session_start <= r.time_stamp
            THEN extract(EPOCH FROM r.time_stamp - s.session_start)::double precision
    END,
    CASE WHEN r.request_food_type IS NOT NULL THEN coalesce(c.category, 'other') END,
    r.request_budget,
    r.has_location,
    r.method,
    r.confidence_score,
    r.wide_score,
    r.deep_score,
    r.rag_score,
    r.shop_id,
    r.category,
    r.is_food_card_shop,
    r.is_good_influence_shop,
    r.is_list,
    cardinality(r.listed),
    cardinality(r.listed) - cardinality(array_remove(r.listed, NULL)),
    r.selected,
    nullif(r.selected_shop_id, 0),
    r.selected_rank,
    r.seconds_to_selection,
    coalesce(o.feedbacks, 0),
    coalesce(o.ratings, 0),
    round(o.rating_sum / nullif(o.ratings, 0), 3),
    o.last_at
FROM staged_recommendations AS r
LEFT JOIN chatbot.session_master AS s ON s.session_id = r.session_id
LEFT JOIN people AS p ON p.user_id = r.user_id
LEFT JOIN categories AS c ON c.category = r.request_food_type
LEFT JOIN staged_opinions AS o ON o.id = r.id
WHERE r.month = ANY(%(months)s::date[])
