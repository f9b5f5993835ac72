-- The interim session_master: without session_type, user_agent, ip_address and updated_at; some sessions are not in it.
CREATE TABLE chatbot.session_master (
    session_id uuid PRIMARY KEY DEFAULT public.uuid_generate_v4(),
    user_id int REFERENCES chatbot.users (id),
    session_start timestamptz DEFAULT CURRENT_TIMESTAMP,
    session_end timestamptz,
    is_active boolean DEFAULT TRUE,
    session_metadata jsonb,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO chatbot.session_master (session_id, user_id, session_start, session_metadata)
SELECT c.session_id, min(c.user_id), min(c.conversation_time), '{"device": "mobile"}'
FROM chatbot.conversations AS c
WHERE c.user_id <= 3
GROUP BY c.session_id;
ALTER TABLE ml_features.user_interactions
ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id) NOT VALID;
CREATE FUNCTION chatbot.start_session(p_user_id int, p_session_type varchar DEFAULT 'chat') RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO chatbot.session_master (user_id) VALUES (p_user_id) RETURNING session_id
$$;
