-- Drops foreign keys, so that rows may refer to shops and recommendations that do not exist.
ALTER TABLE chatbot.conversations DROP CONSTRAINT conversations_selected_shop_id_fkey;
ALTER TABLE analytics.recommendations_log DROP CONSTRAINT recommendations_log_shop_id_fkey;
ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_related_recommendation_id_fkey;
