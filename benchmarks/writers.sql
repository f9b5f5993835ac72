-- What is written into the logs, in a number of rows, or of sessions: first each by a statement of its own, as a chatbot writes.
CREATE PROCEDURE pg_temp.insert_recommendations(p_rows integer) LANGUAGE plpgsql AS $$
DECLARE
    v_session uuid := (SELECT session_id FROM chatbot.session_master ORDER BY session_start DESC LIMIT 1);
BEGIN
    FOR i IN 1..p_rows LOOP
        INSERT INTO analytics.recommendations_log (session_id, user_id, shop_id, recommendations, recommendation_count)
        VALUES (v_session, i % 1000 + 1, i % 1000 + 1, '[{"shop_id": 1, "score": 0.9}]', 1);
    END LOOP;
END
$$;

CREATE PROCEDURE pg_temp.insert_feedback(p_rows integer) LANGUAGE plpgsql AS $$
DECLARE
    v_session uuid := (SELECT session_id FROM chatbot.session_master ORDER BY session_start DESC LIMIT 1);
BEGIN
    FOR i IN 1..p_rows LOOP
        INSERT INTO analytics.user_feedback (session_id, user_id, related_recommendation_id, feedback_type)
        VALUES (v_session, i % 1000 + 1, i, 'rating');
    END LOOP;
END
$$;

CREATE PROCEDURE pg_temp.record_selections(p_rows integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..p_rows LOOP
        UPDATE analytics.recommendations_log
        SET user_selection = '{"shop_id": 1, "rank": 1}', selection_timestamp = time_stamp + interval '1 minute'
        WHERE id = i;
    END LOOP;
END
$$;

CREATE PROCEDURE pg_temp.insert_many_recommendations(p_rows integer) LANGUAGE sql AS $$
    INSERT INTO analytics.recommendations_log (session_id, user_id, shop_id, recommendations, recommendation_count)
    SELECT session_id, user_id, shop_id, recommendations, recommendation_count
    FROM analytics.recommendations_log
    WHERE id <= p_rows
$$;

CREATE PROCEDURE pg_temp.insert_much_feedback(p_rows integer) LANGUAGE sql AS $$
    INSERT INTO analytics.user_feedback (session_id, user_id, related_recommendation_id, feedback_type)
    SELECT session_id, user_id, id, 'rating'
    FROM analytics.recommendations_log
    WHERE id <= p_rows
$$;

CREATE PROCEDURE pg_temp.record_many_selections(p_rows integer) LANGUAGE sql AS $$
    UPDATE analytics.recommendations_log
    SET user_selection = '{"shop_id": 1, "rank": 1}', selection_timestamp = time_stamp + interval '1 minute'
    WHERE id <= p_rows
$$;

CREATE PROCEDURE pg_temp.delete_sessions(p_sessions integer) LANGUAGE sql AS $$
    DELETE FROM chatbot.session_master
    WHERE session_id = ANY(array(
        SELECT session_id FROM chatbot.session_master ORDER BY session_start LIMIT p_sessions
    ))
$$
