-- session_master, the table that everything of a session hangs on, and conversations, partitioned by month.
-- Sections 3.1, 3.2 and 6.1 of the database document.

CREATE TABLE chatbot.session_master (
    session_id uuid PRIMARY KEY DEFAULT public.uuid_generate_v4(),
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    session_start timestamptz DEFAULT now(),
    session_end timestamptz,
    is_active boolean DEFAULT TRUE,
    session_type varchar(50) DEFAULT 'chat' CHECK (session_type IN ('chat', 'voice', 'api', 'test', 'admin')),
    session_metadata jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX idx_session_master_user ON chatbot.session_master (user_id);
CREATE INDEX idx_session_master_active ON chatbot.session_master (is_active) WHERE is_active = TRUE;
CREATE INDEX idx_session_master_start ON chatbot.session_master (session_start DESC);
CREATE INDEX idx_session_master_end ON chatbot.session_master (session_end) WHERE session_end IS NOT NULL;
CREATE INDEX idx_session_master_open_since ON chatbot.session_master (session_start) WHERE is_active = TRUE;
CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.session_master
FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();
COMMENT ON TABLE chatbot.session_master IS
'Sessions: all that is written in one points here, so that one DELETE takes all of it. One row per session; never partitioned.';
COMMENT ON COLUMN chatbot.session_master.session_id IS 'Key of the session, a random UUID.';
COMMENT ON COLUMN chatbot.session_master.user_id IS 'Whose session it is; NULL for somebody who has not signed in.';
COMMENT ON COLUMN chatbot.session_master.session_start IS 'When it was opened.';
COMMENT ON COLUMN chatbot.session_master.session_end IS 'When it was closed, or was last active; NULL while it is open.';
COMMENT ON COLUMN chatbot.session_master.is_active IS 'Whether it is open.';
COMMENT ON COLUMN chatbot.session_master.session_type IS 'chat, voice, api, test or admin.';
COMMENT ON COLUMN chatbot.session_master.session_metadata IS
'What else is known, such as the device; "recovered" marks a session that was made for rows that had none.';
COMMENT ON COLUMN chatbot.session_master.ip_address IS 'Where it came from. Personal data.';
COMMENT ON COLUMN chatbot.session_master.user_agent IS 'The program that it came from. Personal data.';
COMMENT ON COLUMN chatbot.session_master.created_at IS 'When the row was made.';
COMMENT ON COLUMN chatbot.session_master.updated_at IS 'When the row was last changed.';
COMMENT ON CONSTRAINT session_master_user_id_fkey ON chatbot.session_master IS
'Cascades: deleting a user deletes their sessions, and with them all that was said.';

CREATE TABLE chatbot.conversations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    session_id uuid NOT NULL REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE,
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    conversation_time timestamptz NOT NULL DEFAULT now(),
    input_text varchar(1000),
    response_text varchar(700),
    extracted_intent varchar(50) CHECK (
        extracted_intent IN (
            'FOOD_REQUEST', 'BUDGET_INQUIRY', 'COUPON_INQUIRY', 'LOCATION_INQUIRY', 'TIME_INQUIRY', 'GENERAL_CHAT',
            'MENU_OPTION', 'EMERGENCY_FOOD', 'GROUP_DINING', 'BALANCE_CHECK', 'BALANCE_CHARGE', 'UNKNOWN'
        )
    ),
    intent_confidence numeric(4, 3),
    emotion int,
    extracted_entities jsonb,
    conversation_turn int DEFAULT 1,
    previous_intent varchar(50),
    user_strategy varchar(20) CHECK (
        user_strategy IN ('onboarding_mode', 'data_building_mode', 'normal_mode', 'urgent_mode')
    ),
    processing_time_ms int,
    nlu_time_ms int,
    rag_time_ms int,
    response_time_ms int,
    response_quality_score numeric(4, 3),
    user_satisfaction_inferred numeric(4, 3),
    conversation_coherence numeric(4, 3),
    recommended_shop_ids int[],
    selected_shop_id int REFERENCES chatbot.shops (id) ON DELETE SET NULL,
    applied_coupon_ids text[],
    PRIMARY KEY (id, conversation_time)
) PARTITION BY RANGE (conversation_time);
CREATE INDEX idx_conversations_session ON chatbot.conversations (session_id);
CREATE INDEX idx_conversations_user_time ON chatbot.conversations (user_id, conversation_time DESC);
CREATE INDEX idx_conversations_time ON chatbot.conversations (conversation_time);
CREATE INDEX idx_conversations_intent ON chatbot.conversations (extracted_intent);
CREATE INDEX idx_conversations_selected_shop ON chatbot.conversations (selected_shop_id)
WHERE selected_shop_id IS NOT NULL;
COMMENT ON TABLE chatbot.conversations IS
'What was said. One row per turn, in a partition for each month of the business''s time zone (conversations_YYYY_MM).';
COMMENT ON COLUMN chatbot.conversations.id IS 'Number of the turn; with conversation_time, its key.';
COMMENT ON COLUMN chatbot.conversations.session_id IS 'The session in which it was said.';
COMMENT ON COLUMN chatbot.conversations.user_id IS 'Who said it: the session''s user.';
COMMENT ON COLUMN chatbot.conversations.conversation_time IS 'When it was said; decides the partition.';
COMMENT ON COLUMN chatbot.conversations.input_text IS 'What the user said. Personal data.';
COMMENT ON COLUMN chatbot.conversations.response_text IS 'What the chatbot answered. Personal data.';
COMMENT ON COLUMN chatbot.conversations.extracted_intent IS 'What the user wants, as understood.';
COMMENT ON COLUMN chatbot.conversations.intent_confidence IS 'How sure that is, 0 to 1.';
COMMENT ON COLUMN chatbot.conversations.emotion IS 'Code of the emotion that was read in it.';
COMMENT ON COLUMN chatbot.conversations.extracted_entities IS 'Foods, places, amounts that were named.';
COMMENT ON COLUMN chatbot.conversations.conversation_turn IS 'Which turn of its session it is, from 1.';
COMMENT ON COLUMN chatbot.conversations.previous_intent IS 'The intent of the turn before.';
COMMENT ON COLUMN chatbot.conversations.user_strategy IS 'How the chatbot deals with this user at this stage.';
COMMENT ON COLUMN chatbot.conversations.processing_time_ms IS 'Time to process the turn, in milliseconds.';
COMMENT ON COLUMN chatbot.conversations.nlu_time_ms IS 'Of that, language understanding.';
COMMENT ON COLUMN chatbot.conversations.rag_time_ms IS 'Of that, retrieval.';
COMMENT ON COLUMN chatbot.conversations.response_time_ms IS 'Of that, generating the answer.';
COMMENT ON COLUMN chatbot.conversations.response_quality_score IS 'How good the answer is deemed, 0 to 1.';
COMMENT ON COLUMN chatbot.conversations.user_satisfaction_inferred IS 'How satisfied the user seems, 0 to 1.';
COMMENT ON COLUMN chatbot.conversations.conversation_coherence IS 'How well it hangs together, 0 to 1.';
COMMENT ON COLUMN chatbot.conversations.recommended_shop_ids IS
'Ids of shops, without a foreign key: clean_invalid_shop_references() takes out those that are gone.';
COMMENT ON COLUMN chatbot.conversations.selected_shop_id IS 'The shop that the user chose.';
COMMENT ON COLUMN chatbot.conversations.applied_coupon_ids IS 'Codes of the coupons that were applied.';
COMMENT ON CONSTRAINT conversations_session_id_fkey ON chatbot.conversations IS
'Cascades: what was said goes with its session.';
COMMENT ON CONSTRAINT conversations_user_id_fkey ON chatbot.conversations IS
'Cascades: what was said is personal data of its user, whatever session it is in.';
COMMENT ON CONSTRAINT conversations_selected_shop_id_fkey ON chatbot.conversations IS
'Set to NULL: the turn was taken even if the shop is gone.';

-- No insert is refused for want of a month's partition (section 8.1): rows of no month land here, and are moved when
-- their month gets one.
CREATE TABLE chatbot.conversations_default PARTITION OF chatbot.conversations DEFAULT;
COMMENT ON TABLE chatbot.conversations_default IS 'Conversations of no month that has a partition.';

CREATE MATERIALIZED VIEW chatbot.recent_conversations AS
SELECT *
FROM chatbot.conversations
WHERE conversation_time > now() - interval '7 days' AND conversation_time <= now();
CREATE UNIQUE INDEX recent_conversations_key ON chatbot.recent_conversations (id, conversation_time);
CREATE INDEX idx_recent_conversations_session ON chatbot.recent_conversations (session_id);
CREATE INDEX idx_recent_conversations_user_time
ON chatbot.recent_conversations (user_id, conversation_time DESC);
COMMENT ON MATERIALIZED VIEW chatbot.recent_conversations IS
'The conversations of the seven days before its last refresh. One row per turn. Section 7.1 of the database document.';

DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT attname, col_description(attrelid, attnum) AS description
        FROM pg_attribute
        WHERE attrelid = 'chatbot.conversations'::regclass AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format(
            'COMMENT ON COLUMN chatbot.recent_conversations.%I IS %L', v_column.attname, v_column.description
        );
    END LOOP;
END
$$;

CREATE TABLE yumai_pipelines.view_refreshes (
    view_name text PRIMARY KEY,
    as_of timestamptz NOT NULL,
    row_count bigint NOT NULL
);
COMMENT ON TABLE yumai_pipelines.view_refreshes IS 'As of when a materialized view was last refreshed. One row per view.';
COMMENT ON COLUMN yumai_pipelines.view_refreshes.as_of IS 'Time of the transaction that refreshed it: its now().';
COMMENT ON COLUMN yumai_pipelines.view_refreshes.row_count IS 'Rows that the view had then.';
