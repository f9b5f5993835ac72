CREATE OR REPLACE FUNCTION chatbot.get_shop_hours(p_shop_id bigint, p_day_name text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_timezone text := yumai_pipelines.business_timezone();
    v_english text[] := ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    v_korean text[] := ARRAY['월', '화', '수', '목', '금', '토', '일'];
    v_day text := lower(trim(p_day_name));
    v_weekday integer;
BEGIN
    IF p_day_name IS NULL THEN
        v_weekday := extract(ISODOW FROM now() AT TIME ZONE v_timezone);
    ELSE
        v_weekday := coalesce(array_position(v_english, left(v_day, 3)), array_position(v_korean, left(v_day, 1)));
    END IF;
    IF v_weekday IS NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('get_shop_hours: %L is no day of the week', p_day_name),
            HINT = 'Write it as in monday or 월요일, or leave it out for today.';
    END IF;
    RETURN (
        SELECT h.value
        FROM chatbot.shops AS s
        CROSS JOIN jsonb_each(CASE jsonb_typeof(s.business_hours) WHEN 'object' THEN s.business_hours END) AS h
        WHERE
            s.id = p_shop_id
            AND (lower(left(h.key, 3)) = v_english[v_weekday] OR left(h.key, 1) = v_korean[v_weekday])
        ORDER BY h.key
        LIMIT 1
    );
END
$$;
COMMENT ON FUNCTION chatbot.get_shop_hours(bigint, text) IS
'A shop''s hours on a day of the week (monday, mon, 월요일, 월), today in the business''s time zone by default; NULL where they are not known.';
