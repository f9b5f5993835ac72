-- The part of the YUMAI schema that partition management depends on: what the tests of partitions run on until the
-- migrations make the whole of it.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['yumai_pipeline', 'yumai_app', 'yumai_analyst'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
    END LOOP;
END $$;
CREATE SCHEMA chatbot AUTHORIZATION yumai_pipeline;
CREATE SCHEMA yumai_pipelines AUTHORIZATION yumai_pipeline;
GRANT USAGE ON SCHEMA chatbot TO yumai_app;
SET ROLE yumai_pipeline;
CREATE TABLE chatbot.users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, external_user_id varchar(200) UNIQUE);
CREATE TABLE chatbot.shops (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shop_name varchar(30));
CREATE TABLE chatbot.session_master (session_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id int REFERENCES chatbot.users(id) ON DELETE CASCADE, is_active boolean DEFAULT true);
CREATE TABLE chatbot.conversations (
 id bigint GENERATED ALWAYS AS IDENTITY,
 session_id uuid NOT NULL CONSTRAINT conversations_session_id_fkey REFERENCES chatbot.session_master ON DELETE CASCADE,
 user_id int CONSTRAINT conversations_user_id_fkey REFERENCES chatbot.users(id) ON DELETE CASCADE,
 conversation_time timestamptz NOT NULL DEFAULT now(),
 input_text varchar(1000), response_text varchar(700), extracted_intent varchar(50) CHECK (extracted_intent IN ('FOOD_REQUEST','UNKNOWN')),
 extracted_entities jsonb, conversation_turn int DEFAULT 1,
 selected_shop_id int CONSTRAINT conversations_selected_shop_id_fkey REFERENCES chatbot.shops(id) ON DELETE SET NULL,
 PRIMARY KEY (id, conversation_time)) PARTITION BY RANGE (conversation_time);
CREATE INDEX idx_conv_session ON chatbot.conversations(session_id);
CREATE INDEX idx_conv_user ON chatbot.conversations(user_id, conversation_time DESC);
CREATE INDEX idx_conv_time ON chatbot.conversations(conversation_time);
CREATE INDEX idx_conv_intent ON chatbot.conversations(extracted_intent);
CREATE INDEX idx_conv_shop ON chatbot.conversations(selected_shop_id);
CREATE TABLE chatbot.conversations_default PARTITION OF chatbot.conversations DEFAULT;
GRANT SELECT,INSERT,UPDATE,DELETE ON ALL TABLES IN SCHEMA chatbot TO yumai_app;
RESET ROLE;
