-- Rows of an older database: a few good ones, and one with each defect that real databases have.
INSERT INTO chatbot.users (external_user_id, email)
SELECT 'u' || n, 'u' || n || '@example.com' FROM generate_series(1, 20) AS n;
INSERT INTO chatbot.shops (shop_name, category) SELECT 'shop ' || n, '한식' FROM generate_series(1, 5) AS n;

-- Ten sessions with six turns each over all the months that have a partition.
INSERT INTO chatbot.conversations (session_id, user_id, conversation_time, input_text, selected_shop_id)
SELECT md5('session ' || s)::uuid, s,
       (timestamptz '2024-08-10 12:00+09' + (s % 3) * interval '30 days' + n * interval '1 minute'), 'turn ' || n, 1 + n % 5
FROM generate_series(1, 10) AS s, generate_series(1, 6) AS n;
INSERT INTO ml_features.user_interactions (user_id, session_id, time_stamp, interaction_type)
SELECT s, md5('session ' || s)::uuid, timestamp '2024-08-10 12:00' + (s % 3) * interval '30 days', 'text_input'
FROM generate_series(1, 10) AS s;
INSERT INTO analytics.recommendations_log
(user_id, shop_id, session_id, time_stamp, recommendations, recommendation_count, user_selection, selection_timestamp)
SELECT s, 1, md5('session ' || s)::uuid, timestamp '2024-08-10 12:01' + (s % 3) * interval '30 days', '[{"shop_id": 1}]', 1,
       '{"shop_id": 1}', timestamp '2024-08-10 12:02' + (s % 3) * interval '30 days'
FROM generate_series(1, 10) AS s;
INSERT INTO analytics.user_feedback (session_id, related_recommendation_id, user_id, time_stamp, feedback_type)
SELECT md5('session ' || s)::uuid, s, s, timestamp '2024-08-10 12:03' + (s % 3) * interval '30 days', 'rating'
FROM generate_series(1, 10) AS s;

-- The last and the first instant of a month.
INSERT INTO chatbot.conversations (session_id, user_id, conversation_time) VALUES
(md5('new year')::uuid, 1, '2025-01-01 00:00+09'), (md5('new year')::uuid, 1, '2025-03-31 23:59:59.999999+09');
-- A session id typed by hand, which no conversation has.
INSERT INTO ml_features.user_interactions (user_id, session_id, time_stamp, interaction_type)
VALUES (2, '12345678-1234-1234-1234-123456789012', '2024-09-03 09:00', 'selection');
-- One session id, two users.
INSERT INTO chatbot.conversations (session_id, user_id, conversation_time) VALUES
(md5('shared')::uuid, 3, '2024-10-05 10:00+09'), (md5('shared')::uuid, 4, '2024-10-05 11:00+09');
-- Somebody who has not signed in.
INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (md5('nobody')::uuid, '2024-11-05 10:00+09');
-- A recommendation for a user that is gone, feedback of a session that is gone, rows without any session.
INSERT INTO analytics.recommendations_log (user_id, session_id, time_stamp, recommendations, recommendation_count)
VALUES (999, md5('gone')::uuid, '2024-12-24 18:00', '[]', 0), (5, NULL, '2025-01-02 18:00', '[]', 0);
INSERT INTO analytics.user_feedback (session_id, user_id, time_stamp, feedback_type)
VALUES (md5('no longer')::uuid, 6, '2025-02-01 00:00', 'text'), (NULL, NULL, '2025-02-02 00:00', 'text');
INSERT INTO ml_features.user_interactions (user_id, session_id, time_stamp) VALUES (7, NULL, '2025-02-03 00:00'),
(8, NULL, NULL);
