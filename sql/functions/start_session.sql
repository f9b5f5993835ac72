CREATE OR REPLACE FUNCTION chatbot.start_session(
    p_user_id bigint,
    p_session_type varchar DEFAULT 'chat',
    p_metadata jsonb DEFAULT NULL,
    p_ip_address inet DEFAULT NULL,
    p_user_agent text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_session_id uuid;
BEGIN
    IF p_user_id IS NOT NULL AND NOT EXISTS (SELECT FROM chatbot.users AS u WHERE u.id = p_user_id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('start_session: there is no user %s', p_user_id),
            HINT = 'Insert the user into chatbot.users first, or pass NULL for somebody who has not signed in.';
    END IF;
    INSERT INTO chatbot.session_master (user_id, session_type, session_metadata, ip_address, user_agent)
    VALUES (p_user_id, coalesce(p_session_type, 'chat'), p_metadata, p_ip_address, p_user_agent)
    RETURNING session_id INTO v_session_id;
    RETURN v_session_id;
END
$$;
COMMENT ON FUNCTION chatbot.start_session(bigint, varchar, jsonb, inet, text) IS
'Opens a session and returns its id. Section 5.1. An unknown user or session type is an error; a NULL user is somebody who has not signed in.';
