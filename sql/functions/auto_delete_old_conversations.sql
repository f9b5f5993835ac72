CREATE OR REPLACE FUNCTION chatbot.auto_delete_old_conversations(
    p_months integer DEFAULT 6,
    p_as_of timestamptz DEFAULT now()
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_timezone text := yumai_pipelines.business_timezone();
    v_deleted integer;
BEGIN
    IF p_months IS NULL OR p_months < 0 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('auto_delete_old_conversations: p_months is %s', p_months),
            HINT = 'It is the number of whole months to keep before the current one, from 0 on.';
    END IF;
    DELETE FROM chatbot.conversations
    WHERE conversation_time < (
        date_trunc('month', p_as_of AT TIME ZONE v_timezone) - make_interval(months => p_months)
    ) AT TIME ZONE v_timezone;
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;
COMMENT ON FUNCTION chatbot.auto_delete_old_conversations(integer, timestamptz) IS
'Deletes the conversations from before the last p_months whole months of the business''s time zone. Returns how many.';
