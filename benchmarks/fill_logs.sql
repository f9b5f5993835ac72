-- Makes two years of recommendations, %(recommendations)s in number, half as many feedbacks, and what both refer to.
SET session_replication_role = replica;
INSERT INTO users (external_user_id) SELECT n FROM generate_series(1, 50000) AS n;
INSERT INTO shops (shop_name, category)
SELECT 'shop ' || n, (ARRAY['한식', '중식', '일식', '양식', '치킨', '피자', '분식'])[1 + n %% 7]
FROM generate_series(1, 5000) AS n;
INSERT INTO session_master (user_id, session_start, session_end, is_active)
SELECT 1 + (random() * 49999)::int, begun.at, begun.at + interval '20 minutes', FALSE
FROM generate_series(1, %(recommendations)s / 2) AS n
CROSS JOIN LATERAL (
    SELECT '2024-08-01 00:00+09'::timestamptz + n * interval '729 days' / (%(recommendations)s / 2) AS at
) AS begun;
INSERT INTO recommendations_log (
    session_id, user_id, shop_id, time_stamp, request_food_type, request_budget, recommendations, recommendation_count,
    user_selection, selection_timestamp, recommendation_method, confidence_score, wide_score, deep_score, rag_score
)
SELECT
    made.session_id,
    nullif(made.user_id, 50000),
    made.first,
    made.at,
    CASE WHEN made.luck < 0.3 THEN '한식' WHEN made.luck < 0.4 THEN '떡볶이' END,
    CASE WHEN made.luck < 0.5 THEN 12000 END,
    CASE WHEN made.luck < 0.995 THEN made.list ELSE '{}' END,
    4,
    CASE WHEN made.luck < 0.36 THEN json_build_object('shop_id', made.first, 'rank', 1, 'source', 'tap') END,
    CASE WHEN made.luck < 0.36 THEN made.at + made.luck * interval '3 minutes' END,
    (ARRAY['wide_deep', 'rag', 'hybrid', NULL])[least(1 + floor(made.luck * 17)::int %% 3, 4)],
    round(made.luck::numeric, 3),
    round((1 - made.luck)::numeric, 3),
    round(sqrt(made.luck)::numeric, 3),
    round(power(made.luck, 2)::numeric, 3)
FROM (
    SELECT
        s.session_id,
        s.user_id,
        s.session_start + n * interval '2 minutes' AS at,
        places.first,
        places.list,
        random() AS luck
    FROM session_master AS s
    CROSS JOIN generate_series(1, 2) AS n
    CROSS JOIN LATERAL (
        SELECT
            (array_agg(place.shop))[1] AS first,
            jsonb_agg(jsonb_build_object('shop_id', place.shop, 'score', 0.875, 'reason', '가깝고 평이 좋아요')) AS list
        FROM (SELECT 1 + (random() * 4999)::int + 0 * s.user_id AS shop FROM generate_series(1, 4)) AS place
    ) AS places
) AS made;
INSERT INTO user_feedback (
    session_id, user_id, related_recommendation_id, time_stamp, feedback_type, feedback_target_type, feedback_target_id,
    feedback_content
)
SELECT
    r.session_id,
    r.user_id,
    CASE WHEN r.id %% 20 > 1 THEN r.id END,
    r.time_stamp + (r.id %% 30) * interval '1 day',
    (ARRAY['rating', 'text', 'implicit', 'selection'])[1 + (r.id / 2) %% 4],
    'shop',
    r.shop_id::text,
    CASE
        WHEN (r.id / 2) %% 4 = 0 THEN jsonb_build_object('rating', 1 + r.id %% 5)
        ELSE '{"text": "맛있어요", "sentiment": "positive"}'
    END
FROM recommendations_log AS r
WHERE r.id %% 2 = 0;
RESET session_replication_role;
VACUUM ANALYZE session_master;
VACUUM ANALYZE recommendations_log;
VACUUM ANALYZE user_feedback
