CREATE OR REPLACE FUNCTION chatbot.end_session(p_session_id uuid)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE chatbot.session_master
    SET is_active = FALSE, session_end = greatest(now(), session_start)
    WHERE session_id = p_session_id AND is_active;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION chatbot.end_session(uuid) IS
'Closes a session. Section 5.1. True if it was open; false if it was closed before, or there is none such.';
