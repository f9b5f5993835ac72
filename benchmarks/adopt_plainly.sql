-- Does what the adoption does, with plain statements: section 8.2 of the database document with its errors corrected.
CREATE TABLE chatbot.session_master (
    session_id uuid PRIMARY KEY DEFAULT public.uuid_generate_v4(),
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    session_start timestamptz DEFAULT now(),
    session_end timestamptz,
    is_active boolean DEFAULT TRUE,
    session_type varchar(50) DEFAULT 'chat',
    session_metadata jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
ALTER TABLE ml_features.user_interactions ALTER time_stamp TYPE timestamptz USING time_stamp AT TIME ZONE 'Asia/Seoul';
ALTER TABLE analytics.recommendations_log
ALTER time_stamp TYPE timestamptz USING time_stamp AT TIME ZONE 'Asia/Seoul',
ALTER selection_timestamp TYPE timestamptz USING selection_timestamp AT TIME ZONE 'Asia/Seoul';
ALTER TABLE analytics.user_feedback ALTER time_stamp TYPE timestamptz USING time_stamp AT TIME ZONE 'Asia/Seoul';
CREATE INDEX ON chatbot.conversations (session_id);
CREATE INDEX ON chatbot.conversations (conversation_time);
CREATE INDEX ON chatbot.conversations (extracted_intent);
CREATE INDEX ON chatbot.conversations (selected_shop_id) WHERE selected_shop_id IS NOT NULL;
CREATE INDEX ON ml_features.user_interactions (user_id);
CREATE INDEX ON ml_features.user_interactions (session_id);
CREATE INDEX ON analytics.recommendations_log (user_id);
CREATE INDEX ON analytics.recommendations_log (shop_id);
CREATE INDEX ON analytics.recommendations_log (session_id);
CREATE INDEX ON analytics.recommendations_log (time_stamp);
CREATE INDEX ON analytics.user_feedback (session_id);
CREATE INDEX ON analytics.user_feedback (related_recommendation_id);
CREATE INDEX ON analytics.user_feedback (user_id);
CREATE INDEX ON analytics.user_feedback (time_stamp);
ALTER TABLE chatbot.conversations DROP CONSTRAINT conversations_session_id_conversation_time_key;
UPDATE ml_features.user_interactions SET session_id = gen_random_uuid() WHERE session_id IS NULL;
BEGIN;
LOCK TABLE chatbot.conversations IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO chatbot.session_master (session_id, user_id, session_start, session_end, is_active)
SELECT session_id, min(user_id), min(at), max(at), FALSE
FROM (
    SELECT session_id, user_id, conversation_time AS at FROM chatbot.conversations
    UNION ALL SELECT session_id, user_id, time_stamp FROM ml_features.user_interactions
    UNION ALL SELECT session_id, user_id, time_stamp FROM analytics.recommendations_log
    UNION ALL SELECT session_id, user_id, time_stamp FROM analytics.user_feedback
) AS activity
GROUP BY session_id;
CREATE INDEX ON chatbot.session_master (user_id);
CREATE INDEX ON chatbot.session_master (is_active) WHERE is_active = TRUE;
CREATE INDEX ON chatbot.session_master (session_start DESC);
CREATE INDEX ON chatbot.session_master (session_end) WHERE session_end IS NOT NULL;
CREATE INDEX ON chatbot.session_master (session_start) WHERE is_active = TRUE;
ALTER TABLE chatbot.conversations
ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE;
COMMIT;
ALTER TABLE chatbot.conversations DROP CONSTRAINT conversations_selected_shop_id_fkey,
ADD FOREIGN KEY (selected_shop_id) REFERENCES chatbot.shops (id) ON DELETE SET NULL;
ALTER TABLE chatbot.conversations ADD CHECK (
    user_strategy IN ('onboarding_mode', 'data_building_mode', 'normal_mode', 'urgent_mode')
);
ALTER TABLE ml_features.user_interactions ALTER session_id SET NOT NULL,
ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE;
ALTER TABLE analytics.recommendations_log ALTER session_id SET NOT NULL,
ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE,
ADD FOREIGN KEY (user_id) REFERENCES chatbot.users (id) ON DELETE CASCADE;
ALTER TABLE analytics.user_feedback ALTER session_id SET NOT NULL,
DROP CONSTRAINT user_feedback_related_recommendation_id_fkey, DROP CONSTRAINT user_feedback_user_id_fkey,
ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE,
ADD FOREIGN KEY (related_recommendation_id) REFERENCES analytics.recommendations_log (id) ON DELETE SET NULL,
ADD FOREIGN KEY (user_id) REFERENCES chatbot.users (id) ON DELETE CASCADE;
