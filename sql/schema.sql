--
-- PostgreSQL database dump
--



SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: analytics; Type: SCHEMA; Schema: -; Owner: yumai_pipeline
--

CREATE SCHEMA analytics;


ALTER SCHEMA analytics OWNER TO yumai_pipeline;

--
-- Name: SCHEMA analytics; Type: COMMENT; Schema: -; Owner: yumai_pipeline
--

COMMENT ON SCHEMA analytics IS 'What was recommended, and what people thought of it, written by the chatbot.';


--
-- Name: chatbot; Type: SCHEMA; Schema: -; Owner: yumai_pipeline
--

CREATE SCHEMA chatbot;


ALTER SCHEMA chatbot OWNER TO yumai_pipeline;

--
-- Name: SCHEMA chatbot; Type: COMMENT; Schema: -; Owner: yumai_pipeline
--

COMMENT ON SCHEMA chatbot IS 'What the chatbot works on: people, shops, sessions, conversations.';


--
-- Name: extracts; Type: SCHEMA; Schema: -; Owner: yumai_pipeline
--

CREATE SCHEMA extracts;


ALTER SCHEMA extracts OWNER TO yumai_pipeline;

--
-- Name: SCHEMA extracts; Type: COMMENT; Schema: -; Owner: yumai_pipeline
--

COMMENT ON SCHEMA extracts IS 'Monthly tables for analysts, without personal data, built by yumai_pipelines.';


--
-- Name: ml_features; Type: SCHEMA; Schema: -; Owner: yumai_pipeline
--

CREATE SCHEMA ml_features;


ALTER SCHEMA ml_features OWNER TO yumai_pipeline;

--
-- Name: SCHEMA ml_features; Type: COMMENT; Schema: -; Owner: yumai_pipeline
--

COMMENT ON SCHEMA ml_features IS 'Features for the recommendation models, written by the chatbot.';


--
-- Name: yumai_pipelines; Type: SCHEMA; Schema: -; Owner: yumai_pipeline
--

CREATE SCHEMA yumai_pipelines;


ALTER SCHEMA yumai_pipelines OWNER TO yumai_pipeline;

--
-- Name: SCHEMA yumai_pipelines; Type: COMMENT; Schema: -; Owner: yumai_pipeline
--

COMMENT ON SCHEMA yumai_pipelines IS 'The pipeline''s own tables, and tables that it builds before it attaches them.';


--
-- Name: order_status; Type: TYPE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TYPE chatbot.order_status AS ENUM (
    'confirmed',
    'preparing',
    'prepared',
    'picked',
    'canceled'
);


ALTER TYPE chatbot.order_status OWNER TO yumai_pipeline;

--
-- Name: TYPE order_status; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TYPE chatbot.order_status IS 'How far an order has come.';


--
-- Name: interaction_type; Type: TYPE; Schema: ml_features; Owner: yumai_pipeline
--

CREATE TYPE ml_features.interaction_type AS ENUM (
    'text_input',
    'selection',
    'feedback',
    'coupon_use'
);


ALTER TYPE ml_features.interaction_type OWNER TO yumai_pipeline;

--
-- Name: TYPE interaction_type; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON TYPE ml_features.interaction_type IS 'What a user did.';


--
-- Name: auto_delete_old_conversations(integer, timestamp with time zone); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.auto_delete_old_conversations(p_months integer DEFAULT 6, p_as_of timestamp with time zone DEFAULT now()) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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


ALTER FUNCTION chatbot.auto_delete_old_conversations(p_months integer, p_as_of timestamp with time zone) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION auto_delete_old_conversations(p_months integer, p_as_of timestamp with time zone); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.auto_delete_old_conversations(p_months integer, p_as_of timestamp with time zone) IS 'Deletes the conversations from before the last p_months whole months of the business''s time zone. Returns how many.';


--
-- Name: clean_inactive_sessions(interval, timestamp with time zone); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.clean_inactive_sessions(p_inactive_for interval DEFAULT '24:00:00'::interval, p_as_of timestamp with time zone DEFAULT now()) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_cleaned integer;
BEGIN
    WITH started_before AS (
        -- A session that somebody is changing at this moment is not inactive.
        SELECT s.session_id, s.session_start
        FROM chatbot.session_master AS s
        WHERE s.is_active AND s.session_start < p_as_of - p_inactive_for
        FOR NO KEY UPDATE SKIP LOCKED
    ),

    last_seen AS MATERIALIZED (
        SELECT s.session_id, greatest(s.session_start, activity.last_at) AS last_at
        FROM started_before AS s
        CROSS JOIN LATERAL (
            SELECT greatest(
                -- From here on `make schema` writes, from the registry: the last row of each table with a session.
                (
                    SELECT max(t.conversation_time) FROM chatbot.conversations AS t
                    WHERE t.session_id = s.session_id
                ),
                (
                    SELECT max(t.time_stamp) FROM ml_features.user_interactions AS t
                    WHERE t.session_id = s.session_id
                ),
                (
                    SELECT max(t.time_stamp) FROM analytics.recommendations_log AS t
                    WHERE t.session_id = s.session_id
                ),
                (
                    SELECT max(t.time_stamp) FROM analytics.user_feedback AS t
                    WHERE t.session_id = s.session_id
                )
                -- Up to here.
            ) AS last_at
        ) AS activity
    )

    UPDATE chatbot.session_master AS s
    SET is_active = FALSE, session_end = l.last_at
    FROM last_seen AS l
    WHERE l.session_id = s.session_id AND l.last_at <= p_as_of - p_inactive_for;
    GET DIAGNOSTICS v_cleaned = ROW_COUNT;
    RETURN v_cleaned;
END
$$;


ALTER FUNCTION chatbot.clean_inactive_sessions(p_inactive_for interval, p_as_of timestamp with time zone) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION clean_inactive_sessions(p_inactive_for interval, p_as_of timestamp with time zone); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.clean_inactive_sessions(p_inactive_for interval, p_as_of timestamp with time zone) IS 'Closes the open sessions that started, and were last heard of in any table with a session, so long ago; session_end becomes their last activity. Section 5.1. Returns how many.';


--
-- Name: clean_invalid_shop_references(); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.clean_invalid_shop_references() RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_total integer := 0;
    v_rows integer;
BEGIN
    UPDATE chatbot.conversations AS c
    SET
        recommended_shop_ids = ARRAY(
            SELECT named.shop_id
            FROM unnest(c.recommended_shop_ids) WITH ORDINALITY AS named (shop_id, position)
            WHERE EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
            ORDER BY named.position
        )
    WHERE EXISTS (
        SELECT FROM unnest(c.recommended_shop_ids) AS named (shop_id)
        WHERE NOT EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
    );
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;

    UPDATE chatbot.user_profiles AS p
    SET
        favorite_shops = ARRAY(
            SELECT named.shop_id
            FROM unnest(p.favorite_shops) WITH ORDINALITY AS named (shop_id, position)
            WHERE EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
            ORDER BY named.position
        )
    WHERE EXISTS (
        SELECT FROM unnest(p.favorite_shops) AS named (shop_id)
        WHERE NOT EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
    );
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;

    UPDATE analytics.recommendations_log AS r
    SET top_recommendation_shop_id = NULL
    WHERE
        r.top_recommendation_shop_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = r.top_recommendation_shop_id);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_total + v_rows;
END
$$;


ALTER FUNCTION chatbot.clean_invalid_shop_references() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION clean_invalid_shop_references(); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.clean_invalid_shop_references() IS 'Takes ids of shops that are gone out of recommended_shop_ids, favorite_shops and top_recommendation_shop_id, which have no foreign key. Returns how many rows it changed.';


--
-- Name: delete_old_sessions(integer, integer, timestamp with time zone); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.delete_old_sessions(p_days integer DEFAULT 30, p_limit integer DEFAULT NULL::integer, p_as_of timestamp with time zone DEFAULT now()) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_deleted integer;
BEGIN
    IF p_days IS NULL OR p_days < 0 OR p_limit < 0 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('delete_old_sessions: p_days is %s and p_limit is %s', p_days, p_limit),
            HINT = 'Both are numbers from 0 on; p_limit may be NULL, which means all at once.';
    END IF;
    DELETE FROM chatbot.session_master
    WHERE session_id IN (
        SELECT s.session_id
        FROM chatbot.session_master AS s
        WHERE s.session_end < p_as_of - make_interval(days => p_days)
        ORDER BY s.session_end
        LIMIT p_limit
    );
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;


ALTER FUNCTION chatbot.delete_old_sessions(p_days integer, p_limit integer, p_as_of timestamp with time zone) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION delete_old_sessions(p_days integer, p_limit integer, p_as_of timestamp with time zone); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.delete_old_sessions(p_days integer, p_limit integer, p_as_of timestamp with time zone) IS 'Deletes the sessions that ended more than p_days days ago, the oldest first, at most p_limit of them, with all that hangs on them. Section 7.2. Returns how many.';


--
-- Name: end_session(uuid); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.end_session(p_session_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE chatbot.session_master
    SET is_active = FALSE, session_end = greatest(now(), session_start)
    WHERE session_id = p_session_id AND is_active;
    RETURN FOUND;
END
$$;


ALTER FUNCTION chatbot.end_session(p_session_id uuid) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION end_session(p_session_id uuid); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.end_session(p_session_id uuid) IS 'Closes a session. Section 5.1. True if it was open; false if it was closed before, or there is none such.';


--
-- Name: get_shop_hours(bigint, text); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.get_shop_hours(p_shop_id bigint, p_day_name text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $$
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


ALTER FUNCTION chatbot.get_shop_hours(p_shop_id bigint, p_day_name text) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION get_shop_hours(p_shop_id bigint, p_day_name text); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.get_shop_hours(p_shop_id bigint, p_day_name text) IS 'A shop''s hours on a day of the week (monday, mon, 월요일, 월), today in the business''s time zone by default; NULL where they are not known.';


--
-- Name: set_updated_at(); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;


ALTER FUNCTION chatbot.set_updated_at() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION set_updated_at(); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.set_updated_at() IS 'Trigger: notes when a row was last changed.';


--
-- Name: start_session(bigint, character varying, jsonb, inet, text); Type: FUNCTION; Schema: chatbot; Owner: yumai_pipeline
--

CREATE FUNCTION chatbot.start_session(p_user_id bigint, p_session_type character varying DEFAULT 'chat'::character varying, p_metadata jsonb DEFAULT NULL::jsonb, p_ip_address inet DEFAULT NULL::inet, p_user_agent text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql
    AS $$
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


ALTER FUNCTION chatbot.start_session(p_user_id bigint, p_session_type character varying, p_metadata jsonb, p_ip_address inet, p_user_agent text) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION start_session(p_user_id bigint, p_session_type character varying, p_metadata jsonb, p_ip_address inet, p_user_agent text); Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON FUNCTION chatbot.start_session(p_user_id bigint, p_session_type character varying, p_metadata jsonb, p_ip_address inet, p_user_agent text) IS 'Opens a session and returns its id. Section 5.1. An unknown user or session type is an error; a NULL user is somebody who has not signed in.';


--
-- Name: is_readable(json); Type: FUNCTION; Schema: extracts; Owner: yumai_pipeline
--

CREATE FUNCTION extracts.is_readable(p_selection json) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- json keeps what jsonb refuses, such as \u0000, and ->> then fails too. What is nested deeper than the stack allows is
    -- refused with an error that pg_input_is_valid does not catch; it has as many brackets.
    SELECT CASE
        WHEN
            octet_length(p_selection::text) > 2000
            AND length(p_selection::text) - length(translate(p_selection::text, '[{', '')) > 1000
            THEN FALSE
        ELSE pg_input_is_valid(p_selection::text, 'jsonb')
    END
$$;


ALTER FUNCTION extracts.is_readable(p_selection json) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION is_readable(p_selection json); Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON FUNCTION extracts.is_readable(p_selection json) IS 'Whether a value of JSON can be read: it is nested no deeper than the stack allows, and is JSON that jsonb takes; NULL of NULL.';


--
-- Name: rating_of(jsonb); Type: FUNCTION; Schema: extracts; Owner: yumai_pipeline
--

CREATE FUNCTION extracts.rating_of(p_feedback_content jsonb) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    -- One CASE: only its branches are sure not to be evaluated when they need not be, and a bare expression is inlined
    -- into the statements that call it. [ \t\n\r], not \s: that takes spaces, such as U+3000, which the cast refuses.
    SELECT CASE
        WHEN jsonb_typeof(p_feedback_content -> 'rating') = 'number'
            THEN CASE
                WHEN (p_feedback_content ->> 'rating')::numeric BETWEEN 1 AND 5
                    THEN (p_feedback_content ->> 'rating')::numeric
            END
        WHEN
            jsonb_typeof(p_feedback_content -> 'rating') = 'string'
            AND p_feedback_content ->> 'rating' ~ '^[ \t\n\r]*([1-4](\.[0-9]{1,6})?|5(\.0{1,6})?)[ \t\n\r]*$'
            THEN (p_feedback_content ->> 'rating')::numeric
    END
$_$;


ALTER FUNCTION extracts.rating_of(p_feedback_content jsonb) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION rating_of(p_feedback_content jsonb); Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON FUNCTION extracts.rating_of(p_feedback_content jsonb) IS 'The rating in a feedback''s content, 1 to 5, from a number or from text that is one; NULL where it is absent or anything else.';


--
-- Name: business_timezone(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.business_timezone() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- What the database tells new connections, whatever this one has made of it.
    SELECT coalesce(
        (
            SELECT split_part(entry.setting, '=', 2)
            FROM pg_db_role_setting AS s
            INNER JOIN pg_database AS d ON s.setdatabase = d.oid
            CROSS JOIN unnest(s.setconfig) AS entry (setting)
            WHERE d.datname = current_database() AND s.setrole = 0 AND lower(entry.setting) LIKE 'timezone=%'
        ),
        'Asia/Seoul'
    )
$$;


ALTER FUNCTION yumai_pipelines.business_timezone() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION business_timezone(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.business_timezone() IS 'The time zone at whose midnights the business''s days and months begin, as configure_database() has set it.';


--
-- Name: configure_database(text); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.configure_database(p_timezone text DEFAULT 'Asia/Seoul'::text) RETURNS void
    LANGUAGE plpgsql
    AS $_$
BEGIN
    -- Clients write session_master as well as chatbot.session_master (sections 4 to 8).
    EXECUTE format(
        'ALTER DATABASE %I SET search_path = "$user", chatbot, ml_features, analytics, public', current_database()
    );
    EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), p_timezone);
END
$_$;


ALTER FUNCTION yumai_pipelines.configure_database(p_timezone text) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION configure_database(p_timezone text); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.configure_database(p_timezone text) IS 'Sets search_path and the business''s time zone for every new connection to this database. Needs its owner.';


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: user_feedback; Type: TABLE; Schema: analytics; Owner: yumai_pipeline
--

CREATE TABLE analytics.user_feedback (
    id bigint NOT NULL,
    session_id uuid NOT NULL,
    related_recommendation_id bigint,
    user_id integer,
    time_stamp timestamp with time zone DEFAULT now() NOT NULL,
    feedback_type character varying(30),
    feedback_target_type character varying(30),
    feedback_target_id character varying(30),
    feedback_content jsonb,
    context jsonb
);


ALTER TABLE analytics.user_feedback OWNER TO yumai_pipeline;

--
-- Name: TABLE user_feedback; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON TABLE analytics.user_feedback IS 'What users thought of what they were told. One row per feedback.';


--
-- Name: COLUMN user_feedback.id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.id IS 'Key of the feedback.';


--
-- Name: COLUMN user_feedback.session_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.session_id IS 'The session in which it was given: not always the recommendation''s.';


--
-- Name: COLUMN user_feedback.related_recommendation_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.related_recommendation_id IS 'The recommendation that it is about, if it is.';


--
-- Name: COLUMN user_feedback.user_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.user_id IS 'Who gave it.';


--
-- Name: COLUMN user_feedback.time_stamp; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.time_stamp IS 'When it was given.';


--
-- Name: COLUMN user_feedback.feedback_type; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.feedback_type IS 'selection, rating, text, implicit, …';


--
-- Name: COLUMN user_feedback.feedback_target_type; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.feedback_target_type IS 'Kind of thing that it is about: shop, recommendation, …';


--
-- Name: COLUMN user_feedback.feedback_target_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.feedback_target_id IS 'Id of that thing, as text.';


--
-- Name: COLUMN user_feedback.feedback_content; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.feedback_content IS 'What was said; {"rating": 1 to 5} for a rating. Personal data.';


--
-- Name: COLUMN user_feedback.context; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.user_feedback.context IS 'Under what circumstances.';


--
-- Name: counting_time(analytics.user_feedback); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.counting_time(p_feedback analytics.user_feedback) RETURNS SETOF timestamp with time zone
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce(
        (
            SELECT r.time_stamp
            FROM analytics.recommendations_log AS r
            WHERE r.id = (p_feedback).related_recommendation_id
        ),
        (
            -- The second is within the month in every time zone.
            SELECT (c.month + 1)::timestamp AT TIME ZONE 'UTC'
            FROM yumai_pipelines.counted_feedback AS c
            WHERE c.feedback_id = (p_feedback).id AND (p_feedback).related_recommendation_id IS NULL
        ),
        (p_feedback).time_stamp
    )
    OFFSET 0
$$;


ALTER FUNCTION yumai_pipelines.counting_time(p_feedback analytics.user_feedback) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION counting_time(p_feedback analytics.user_feedback); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.counting_time(p_feedback analytics.user_feedback) IS 'A time of the month of the extracts in which a feedback counts.';


--
-- Name: make_month(date); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.make_month(p_month date) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET lock_timeout TO '100ms'
    AS $$
DECLARE
    c_longest_wait CONSTANT interval := '100 milliseconds';
    c_patience CONSTANT interval := '300 seconds';
    c_most_rows CONSTANT bigint := 10000;
    c_most_bytes CONSTANT bigint := 8 * 1024 * 1024;
    c_lock CONSTANT text := 'yumai_pipelines: partitions of chatbot.conversations';
    c_parent CONSTANT regclass := 'chatbot.conversations';
    v_month CONSTANT date := date_trunc('month', p_month::timestamp)::date;
    v_lower CONSTANT timestamptz := yumai_pipelines.month_start(p_month);
    v_upper CONSTANT timestamptz := yumai_pipelines.month_start((v_month + interval '1 month')::date);
    v_name CONSTANT text := format('conversations_%s', to_char(v_month, 'YYYY_MM'));
    v_bounds CONSTANT text := format('(conversation_time >= %L AND conversation_time < %L)', v_lower, v_upper);
    v_give_up CONSTANT timestamptz := clock_timestamp() + c_patience;
    v_key CONSTANT integer := ('x' || left(gen_random_uuid()::text, 7))::bit(28)::integer;
    v_tablespace text;
    v_default regclass;
    v_lock record;
    v_grant record;
    v_deadline timestamptz;
    v_rows bigint := 0;
BEGIN
    IF p_month IS NULL OR NOT isfinite(p_month) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('make_month: p_month is %s', p_month), HINT = 'It is any day of the month.';
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'make_month: the transaction is %, and would not see what others have just written.',
            current_setting('transaction_isolation');
    ELSIF to_regproc('yumai_pipelines.mirror_default_changes') IS NOT NULL THEN
        RAISE 'make_month: a run on the partitions is at work, or was killed.' USING HINT = '`yumai up` completes it.';
    END IF;

    -- Of the runs of Dagster and this, one works at a time. `AdvisoryLock.PARTITIONS` has the name of the lock, and
    -- yumai_pipelines/postgres/locks.py says how it is taken: by a key of one's own, which is given back where another
    -- session of the pipeline has one.
    LOOP
        BEGIN
            IF NOT yumai_pipelines.others_run(c_lock) THEN
                PERFORM pg_advisory_xact_lock(hashtext(c_lock), v_key);
                EXIT WHEN NOT yumai_pipelines.others_run(c_lock);
                RAISE lock_not_available;
            END IF;
        EXCEPTION
            WHEN lock_not_available THEN NULL;
        END;
        IF clock_timestamp() > v_give_up THEN
            RAISE lock_not_available USING MESSAGE = 'make_month: another run is making partitions. Nothing was changed.';
        END IF;
        PERFORM pg_sleep(0.1);
    END LOOP;

    IF EXISTS (
        SELECT FROM pg_inherits AS i
        INNER JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE
            i.inhparent = c_parent
            AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES FROM (%L) TO (%L)', v_lower, v_upper)
    ) THEN
        RETURN 'recognized';
    END IF;
    IF EXISTS (SELECT FROM yumai_pipelines.archives AS a WHERE a.month = v_month AND a.state <> 'restored') THEN
        RAISE 'make_month: the rows of % are archived, so an empty partition would look like a month without rows.',
            to_char(v_month, 'YYYY-MM')
            USING HINT = format('`yumai restore-month %s` brings it back.', to_char(v_month, 'YYYY-MM'));
    END IF;

    v_default := (
        SELECT c.oid
        FROM pg_inherits AS i
        INNER JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = c_parent AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'
    );
    IF v_default IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %s WHERE %s LIMIT %s) AS t', v_default, v_bounds, c_most_rows + 1)
        INTO v_rows;
    END IF;
    IF v_rows > c_most_rows OR pg_relation_size(v_default) > c_most_bytes THEN
        RAISE 'make_month: % is too large to be searched while writers wait. Nothing was changed.', v_default USING
            HINT = 'Materialize the month of chatbot/conversations in Dagster, or run `yumai up`: these move rows in batches.';
    END IF;
    v_tablespace := (
        SELECT format(' TABLESPACE %I', t.spcname)
        FROM pg_class AS c
        INNER JOIN pg_tablespace AS t ON t.oid = c.reltablespace
        WHERE c.oid = c_parent
    );

    LOOP
        BEGIN
            EXECUTE format(
                'CREATE TABLE chatbot.%I (LIKE chatbot.conversations INCLUDING ALL EXCLUDING IDENTITY, '
                'CONSTRAINT yumai_bounds CHECK %s)%s', v_name, v_bounds, v_tablespace
            );
            FOR v_grant IN
                SELECT
                    g.privilege_type,
                    CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(g.grantee)) END AS grantee,
                    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS grantable
                FROM pg_class AS c
                CROSS JOIN LATERAL aclexplode(c.relacl) AS g
                WHERE c.oid = c_parent AND g.grantee <> c.relowner
            LOOP
                EXECUTE format(
                    'GRANT %s ON chatbot.%I TO %s%s', v_grant.privilege_type, v_name, v_grant.grantee, v_grant.grantable
                );
            END LOOP;

            v_deadline := clock_timestamp() + c_longest_wait;
            FOR v_lock IN
                SELECT lock.name, lock.mode
                FROM (
                    SELECT k.confrelid::regclass AS name, 'SHARE ROW EXCLUSIVE' AS mode, min(k.conkey[1]) AS place
                    FROM pg_constraint AS k
                    WHERE k.conrelid = c_parent AND k.contype = 'f' AND k.conparentid = 0
                    GROUP BY k.confrelid
                    UNION ALL
                    SELECT c_parent, 'SHARE ROW EXCLUSIVE', 10000
                    UNION ALL
                    SELECT v_default, 'ACCESS EXCLUSIVE', 10001
                ) AS lock
                WHERE lock.name IS NOT NULL
                ORDER BY lock.place
            LOOP
                PERFORM set_config(
                    'lock_timeout',
                    format('%sms', greatest(1, round(extract(EPOCH FROM v_deadline - clock_timestamp()) * 1000))),
                    TRUE
                );
                EXECUTE format('LOCK TABLE ONLY %s IN %s MODE', v_lock.name, v_lock.mode);
            END LOOP;

            IF v_default IS NOT NULL THEN
                EXECUTE format(
                    'WITH moved AS (DELETE FROM %s WHERE %s RETURNING *) INSERT INTO chatbot.%I SELECT * FROM moved',
                    v_default, v_bounds, v_name
                );
                GET DIAGNOSTICS v_rows = ROW_COUNT;
            END IF;
            EXECUTE format(
                'ALTER TABLE chatbot.conversations ATTACH PARTITION chatbot.%I FOR VALUES FROM (%L) TO (%L)',
                v_name, v_lower, v_upper
            );
            EXIT;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                IF clock_timestamp() > v_give_up THEN
                    RAISE lock_not_available USING
                        MESSAGE = 'make_month: others kept chatbot.conversations locked. Nothing was changed.',
                        HINT = 'Look for long transactions in pg_stat_activity, and call it again.';
                END IF;
                PERFORM pg_sleep(0.05 + random() * 0.2);
        END;
    END LOOP;

    EXECUTE format('ALTER TABLE chatbot.%I DROP CONSTRAINT yumai_bounds', v_name);
    EXECUTE format(
        'COMMENT ON TABLE chatbot.%I IS %L',
        v_name, format('Conversations of %s, %s to %s.', to_char(v_month, 'YYYY-MM'), v_lower, v_upper)
    );
    -- PostgreSQL gives a partition the indexes of its table, but not the replica identity.
    EXECUTE (
        SELECT format(
            'ALTER TABLE chatbot.%I REPLICA IDENTITY %s',
            v_name,
            CASE p.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' WHEN 'd' THEN 'DEFAULT'
                ELSE format('USING INDEX %I', own.relname) END
        )
        FROM pg_class AS p
        LEFT JOIN pg_index AS i ON i.indrelid = p.oid AND i.indisreplident
        LEFT JOIN (
            pg_inherits AS link
            INNER JOIN pg_index AS part ON
                part.indexrelid = link.inhrelid AND part.indrelid = format('chatbot.%I', v_name)::regclass
            INNER JOIN pg_class AS own ON own.oid = part.indexrelid
        ) ON link.inhparent = i.indexrelid
        WHERE p.oid = c_parent
    );
    RETURN CASE WHEN v_rows > 0 THEN 'filled' ELSE 'created' END;
END
$$;


ALTER FUNCTION yumai_pipelines.make_month(p_month date) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION make_month(p_month date); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.make_month(p_month date) IS 'Makes the partition of the month of a day, and moves its rows out of the default partition. Returns created, filled or recognized.
Writers wait 100 ms at most for its locks, and until the end of its transaction: call it outside of a longer one.';


--
-- Name: month_start(date); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.month_start(p_month date) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    AS $$
    SELECT min(midnight.instant - earlier.by)
    FROM (
        SELECT date_trunc('month', p_month::timestamp) AS wall, yumai_pipelines.business_timezone() AS timezone
    ) AS wanted
    CROSS JOIN LATERAL (SELECT wanted.wall AT TIME ZONE wanted.timezone AS instant) AS midnight
    CROSS JOIN (
        VALUES (interval '0'), (interval '20 minutes'), (interval '30 minutes'), (interval '1 hour'), (interval '2 hours')
    ) AS earlier (by)
    WHERE (midnight.instant - earlier.by) AT TIME ZONE wanted.timezone >= wanted.wall
$$;


ALTER FUNCTION yumai_pipelines.month_start(p_month date) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION month_start(p_month date); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.month_start(p_month date) IS 'The first instant of the month of a day, in the business''s time zone.';


--
-- Name: note_archive_change(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_archive_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO yumai_pipelines.archive_changes (month, operation) VALUES (TG_ARGV[0]::date, TG_OP);
    RETURN NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_archive_change() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_archive_change(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_archive_change() IS 'Trigger of a detached month, whose first day is its argument: notes that a row was changed.';


--
-- Name: note_every_month(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_every_month() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO yumai_pipelines.source_changes (first_time, last_time)
    SELECT DISTINCT month.start, month.start
    FROM extracts.ledger AS l
    CROSS JOIN LATERAL (SELECT l.month::timestamp AT TIME ZONE yumai_pipelines.business_timezone() AS start) AS month
    WHERE l.purged_at IS NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_every_month() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_every_month(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_every_month() IS 'Notes in source_changes that every built month may have changed, so that each is built once more.';


--
-- Name: note_feedback_changes(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_feedback_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, feedback)
        SELECT min(f.counts_at), max(f.counts_at), count(*)
        FROM new_rows AS n
        CROSS JOIN LATERAL yumai_pipelines.counting_time(n::analytics.user_feedback) AS f (counts_at)
        GROUP BY date_trunc('day', f.counts_at, 'UTC');
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, feedback)
        SELECT min(f.counts_at), max(f.counts_at), count(*)
        FROM old_rows AS o
        CROSS JOIN LATERAL yumai_pipelines.counting_time(o::analytics.user_feedback) AS f (counts_at)
        GROUP BY date_trunc('day', f.counts_at, 'UTC');
    ELSE
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, feedback)
        SELECT min(f.counts_at), max(f.counts_at), count(DISTINCT coalesce(n.id, o.id))
        FROM old_rows AS o
        FULL JOIN new_rows AS n ON o.id = n.id
        CROSS JOIN LATERAL (
            SELECT was.counts_at
            FROM yumai_pipelines.counting_time(o::analytics.user_feedback) AS was (counts_at)
            WHERE o.id IS NOT NULL
            UNION ALL
            SELECT counting.counts_at
            FROM yumai_pipelines.counting_time(n::analytics.user_feedback) AS counting (counts_at)
            WHERE n.id IS NOT NULL
        ) AS f
        WHERE
            o.related_recommendation_id IS DISTINCT FROM n.related_recommendation_id
            OR yumai_pipelines.source_hash(o::analytics.user_feedback) IS DISTINCT FROM yumai_pipelines.source_hash(n::analytics.user_feedback)
        GROUP BY date_trunc('day', f.counts_at, 'UTC');
    END IF;
    RETURN NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_feedback_changes() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_feedback_changes(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_feedback_changes() IS 'Trigger of the feedback: notes in source_changes what came, went, or changed in what the extracts read.';


--
-- Name: note_recommendation_changes(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_recommendation_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, recommendations)
        SELECT min(n.time_stamp), max(n.time_stamp), count(*)
        FROM new_rows AS n
        GROUP BY date_trunc('day', n.time_stamp, 'UTC');
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, recommendations)
        SELECT min(o.time_stamp), max(o.time_stamp), count(*)
        FROM old_rows AS o
        GROUP BY date_trunc('day', o.time_stamp, 'UTC');
    ELSE
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, recommendations)
        SELECT min(moment.time_stamp), max(moment.time_stamp), count(DISTINCT coalesce(n.id, o.id))
        FROM old_rows AS o
        FULL JOIN new_rows AS n ON o.id = n.id
        CROSS JOIN LATERAL (VALUES (o.time_stamp), (n.time_stamp)) AS moment (time_stamp)
        WHERE
            moment.time_stamp IS NOT NULL
            AND (
                o.shop_id IS DISTINCT FROM n.shop_id
                OR yumai_pipelines.source_hash(o::analytics.recommendations_log) IS DISTINCT FROM yumai_pipelines.source_hash(n::analytics.recommendations_log)
            )
        GROUP BY date_trunc('day', moment.time_stamp, 'UTC');
    END IF;
    RETURN NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_recommendation_changes() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_recommendation_changes(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_recommendation_changes() IS 'Trigger of the recommendations: notes in source_changes what came, went, or changed in what the extracts read.';


--
-- Name: note_session_change(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_session_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO yumai_pipelines.source_changes (session_id) VALUES (NEW.session_id);
    RETURN NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_session_change() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_session_change(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_session_change() IS 'Trigger of the sessions: notes in source_changes which one changed in what the extracts say of it.';


--
-- Name: note_shop_change(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_shop_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO yumai_pipelines.source_changes (shop_id) VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END);
    RETURN NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_shop_change() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_shop_change(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_shop_change() IS 'Trigger of the shops: notes in source_changes which one came, went, or changed in what the extracts say of it.';


--
-- Name: note_truncation(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.note_truncation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM yumai_pipelines.note_every_month();
    RETURN NULL;
END
$$;


ALTER FUNCTION yumai_pipelines.note_truncation() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION note_truncation(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.note_truncation() IS 'Trigger of what the extracts are built from: notes in source_changes that every month has changed.';


--
-- Name: others_run(text); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.others_run(p_lock text) RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM pg_locks AS l
        LEFT JOIN pg_stat_activity AS a ON l.pid = a.pid
        WHERE
            l.locktype = 'advisory'
            AND l.classid = hashtext(p_lock)::oid
            AND l.objsubid = 2
            AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND l.pid <> pg_backend_pid()
            AND coalesce(a.usename = session_user OR pg_has_role(a.usesysid, 'yumai_pipeline', 'MEMBER'), true)
    )
$$;


ALTER FUNCTION yumai_pipelines.others_run(p_lock text) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION others_run(p_lock text); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.others_run(p_lock text) IS 'Whether another session of the pipeline''s logins has the advisory lock of this name.';


--
-- Name: row_as_jsonb(anyelement); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.row_as_jsonb(p_row anyelement) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE
    v_columns text;
    v_row jsonb;
BEGIN
    -- json keeps what jsonb refuses: \u0000, half a surrogate pair, 1e999999, more levels than the stack allows. Only the
    -- last is an error that pg_input_is_valid does not catch.
    SELECT string_agg(
        CASE
            WHEN a.atttypid = 'json'::regtype
                THEN format(
                    'CASE WHEN length(s.%1$I::text) - length(translate(s.%1$I::text, ''[{'', '''')) <= 1000 '
                    'AND pg_input_is_valid(s.%1$I::text, ''jsonb'') '
                    'THEN s.%1$I::text::jsonb ELSE to_jsonb(s.%1$I::text) END AS %1$I',
                    a.attname
                )
            ELSE format('s.%I', a.attname)
        END,
        ', ' ORDER BY a.attnum
    )
    INTO v_columns
    FROM pg_type AS t
    INNER JOIN pg_attribute AS a ON a.attrelid = t.typrelid
    WHERE t.oid = pg_typeof(p_row) AND a.attnum > 0 AND NOT a.attisdropped;
    -- OFFSET 0 keeps the planner from casting constants, whichever branch they are in.
    EXECUTE format('SELECT to_jsonb(r) FROM (SELECT %s FROM (SELECT ($1).* OFFSET 0) AS s) AS r', v_columns)
    INTO v_row USING p_row;
    RETURN v_row;
END
$_$;


ALTER FUNCTION yumai_pipelines.row_as_jsonb(p_row anyelement) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION row_as_jsonb(p_row anyelement); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.row_as_jsonb(p_row anyelement) IS 'A row of a table as jsonb, by column, for the quarantine; json that jsonb cannot hold becomes a string.';


--
-- Name: recommendations_log; Type: TABLE; Schema: analytics; Owner: yumai_pipeline
--

CREATE TABLE analytics.recommendations_log (
    id bigint NOT NULL,
    user_id integer,
    shop_id integer,
    session_id uuid NOT NULL,
    time_stamp timestamp with time zone DEFAULT now() NOT NULL,
    request_food_type character varying(100),
    request_budget integer,
    request_location character varying(100),
    recommendations jsonb NOT NULL,
    recommendation_count integer NOT NULL,
    top_recommendation_shop_id integer,
    user_selection json,
    selection_timestamp timestamp with time zone,
    recommendation_method character varying(50),
    confidence_score numeric(4,3),
    wide_score numeric(4,3),
    deep_score numeric(4,3),
    rag_score numeric(4,3)
);


ALTER TABLE analytics.recommendations_log OWNER TO yumai_pipeline;

--
-- Name: TABLE recommendations_log; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON TABLE analytics.recommendations_log IS 'What the chatbot recommended, and what was chosen. One row per recommendation, which lists several shops.';


--
-- Name: COLUMN recommendations_log.id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.id IS 'Key of the recommendation.';


--
-- Name: COLUMN recommendations_log.user_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.user_id IS 'To whom.';


--
-- Name: COLUMN recommendations_log.shop_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.shop_id IS 'The shop that the recommendation is about.';


--
-- Name: COLUMN recommendations_log.session_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.session_id IS 'In which session.';


--
-- Name: COLUMN recommendations_log.time_stamp; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.time_stamp IS 'When it was made; decides the month of the extracts.';


--
-- Name: COLUMN recommendations_log.request_food_type; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.request_food_type IS 'The food that was asked for.';


--
-- Name: COLUMN recommendations_log.request_budget; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.request_budget IS 'The budget that was named, in won.';


--
-- Name: COLUMN recommendations_log.request_location; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.request_location IS 'The place that was named.';


--
-- Name: COLUMN recommendations_log.recommendations; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.recommendations IS 'The list that was shown, best first: [{"shop_id", "score", "reason"}].';


--
-- Name: COLUMN recommendations_log.recommendation_count; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.recommendation_count IS 'How many shops the list has.';


--
-- Name: COLUMN recommendations_log.top_recommendation_shop_id; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.top_recommendation_shop_id IS 'The first shop of the list, without a foreign key: clean_invalid_shop_references() empties it when the shop is gone.';


--
-- Name: COLUMN recommendations_log.user_selection; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.user_selection IS 'What was chosen: {"shop_id", "rank", "source"}; NULL when nothing was.';


--
-- Name: COLUMN recommendations_log.selection_timestamp; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.selection_timestamp IS 'When it was chosen.';


--
-- Name: COLUMN recommendations_log.recommendation_method; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.recommendation_method IS 'How it was made: wide_deep, rag or hybrid.';


--
-- Name: COLUMN recommendations_log.confidence_score; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.confidence_score IS 'How sure the method is, 0 to 1.';


--
-- Name: COLUMN recommendations_log.wide_score; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.wide_score IS 'Score of the wide part of the model, 0 to 1.';


--
-- Name: COLUMN recommendations_log.deep_score; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.deep_score IS 'Score of the deep part of the model, 0 to 1.';


--
-- Name: COLUMN recommendations_log.rag_score; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON COLUMN analytics.recommendations_log.rag_score IS 'Score of the retrieval, 0 to 1.';


--
-- Name: source_hash(analytics.recommendations_log); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.source_hash(p_recommendation analytics.recommendations_log) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Binary, not of the row's text: it must not cost more than the extracts themselves. json has no hash of its own.
    -- Hashed once more, as text: a change of a last column adds the same to the hash of each row, and an even number
    -- of such changes would cancel where hashes are combined by XOR.
    SELECT hashtextextended(
        hash_record_extended(
            ROW(
                (p_recommendation).id,
                (p_recommendation).user_id,
                (p_recommendation).session_id,
                (p_recommendation).time_stamp,
                (p_recommendation).request_food_type,
                (p_recommendation).request_budget,
                (p_recommendation).request_location,
                (p_recommendation).recommendations,
                (p_recommendation).user_selection::text,
                (p_recommendation).selection_timestamp,
                (p_recommendation).recommendation_method,
                (p_recommendation).confidence_score,
                (p_recommendation).wide_score,
                (p_recommendation).deep_score,
                (p_recommendation).rag_score
            ),
            0
        )::text COLLATE "C",
        0
    )
$$;


ALTER FUNCTION yumai_pipelines.source_hash(p_recommendation analytics.recommendations_log) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION source_hash(p_recommendation analytics.recommendations_log); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.source_hash(p_recommendation analytics.recommendations_log) IS 'Fingerprint of what the extracts read of a recommendation. Without shop_id, which empties when the shop is deleted.';


--
-- Name: source_hash(analytics.user_feedback); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.source_hash(p_feedback analytics.user_feedback) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Hashed once more, as text: a change of a last column adds the same to the hash of each row, and an even number
    -- of such changes would cancel where hashes are combined by XOR.
    SELECT hashtextextended(
        hash_record_extended(
            ROW(
                (p_feedback).id,
                (p_feedback).session_id,
                (p_feedback).user_id,
                (p_feedback).time_stamp,
                (p_feedback).feedback_type,
                (p_feedback).feedback_target_type,
                (p_feedback).feedback_target_id,
                (p_feedback).feedback_content
            ),
            1
        )::text COLLATE "C",
        0
    )
$$;


ALTER FUNCTION yumai_pipelines.source_hash(p_feedback analytics.user_feedback) OWNER TO yumai_pipeline;

--
-- Name: FUNCTION source_hash(p_feedback analytics.user_feedback); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.source_hash(p_feedback analytics.user_feedback) IS 'Fingerprint of what the extracts read of a feedback. Without its recommendation, which decides the month that counts it.';


--
-- Name: watch_sources(); Type: FUNCTION; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE FUNCTION yumai_pipelines.watch_sources() RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_trigger record;
    v_mended integer := 0;
BEGIN
    -- DISABLE TRIGGER ALL and then ENABLE TRIGGER ALL, as by pg_restore --disable-triggers, leaves a trigger that fires not
    -- always, but by session_replication_role: that tells that it was off.
    FOR v_trigger IN
        SELECT
            t.tgrelid::regclass AS relation,
            t.tgname
        FROM pg_trigger AS t
        INNER JOIN pg_proc AS p ON t.tgfoid = p.oid
        WHERE
            p.pronamespace = 'yumai_pipelines'::regnamespace
            AND p.proname IN (
                'note_recommendation_changes', 'note_feedback_changes', 'note_shop_change', 'note_session_change',
                'note_truncation'
            )
            AND t.tgenabled <> 'A'
        ORDER BY 1, 2
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', v_trigger.relation, v_trigger.tgname);
        v_mended := v_mended + 1;
    END LOOP;
    IF v_mended > 0 THEN
        PERFORM yumai_pipelines.note_every_month();
    END IF;
    RETURN v_mended;
END
$$;


ALTER FUNCTION yumai_pipelines.watch_sources() OWNER TO yumai_pipeline;

--
-- Name: FUNCTION watch_sources(); Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON FUNCTION yumai_pipelines.watch_sources() IS 'Switches the triggers that note changes of the logs on again, and has every month of the extracts built once more if one was off. Returns how many were.';


--
-- Name: recommendations_log_id_seq; Type: SEQUENCE; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE analytics.recommendations_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME analytics.recommendations_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_feedback_id_seq; Type: SEQUENCE; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE analytics.user_feedback ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME analytics.user_feedback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: conversations; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.conversations (
    id bigint NOT NULL,
    session_id uuid NOT NULL,
    user_id integer,
    conversation_time timestamp with time zone DEFAULT now() NOT NULL,
    input_text character varying(1000),
    response_text character varying(700),
    extracted_intent character varying(50),
    intent_confidence numeric(4,3),
    emotion integer,
    extracted_entities jsonb,
    conversation_turn integer DEFAULT 1,
    previous_intent character varying(50),
    user_strategy character varying(20),
    processing_time_ms integer,
    nlu_time_ms integer,
    rag_time_ms integer,
    response_time_ms integer,
    response_quality_score numeric(4,3),
    user_satisfaction_inferred numeric(4,3),
    conversation_coherence numeric(4,3),
    recommended_shop_ids integer[],
    selected_shop_id integer,
    applied_coupon_ids text[],
    CONSTRAINT conversations_extracted_intent_check CHECK (((extracted_intent)::text = ANY ((ARRAY['FOOD_REQUEST'::character varying, 'BUDGET_INQUIRY'::character varying, 'COUPON_INQUIRY'::character varying, 'LOCATION_INQUIRY'::character varying, 'TIME_INQUIRY'::character varying, 'GENERAL_CHAT'::character varying, 'MENU_OPTION'::character varying, 'EMERGENCY_FOOD'::character varying, 'GROUP_DINING'::character varying, 'BALANCE_CHECK'::character varying, 'BALANCE_CHARGE'::character varying, 'UNKNOWN'::character varying])::text[]))),
    CONSTRAINT conversations_user_strategy_check CHECK (((user_strategy)::text = ANY ((ARRAY['onboarding_mode'::character varying, 'data_building_mode'::character varying, 'normal_mode'::character varying, 'urgent_mode'::character varying])::text[])))
)
PARTITION BY RANGE (conversation_time);


ALTER TABLE chatbot.conversations OWNER TO yumai_pipeline;

--
-- Name: TABLE conversations; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.conversations IS 'What was said. One row per turn, in a partition for each month of the business''s time zone (conversations_YYYY_MM).';


--
-- Name: COLUMN conversations.id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.id IS 'Number of the turn; with conversation_time, its key.';


--
-- Name: COLUMN conversations.session_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.session_id IS 'The session in which it was said.';


--
-- Name: COLUMN conversations.user_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.user_id IS 'Who said it: the session''s user.';


--
-- Name: COLUMN conversations.conversation_time; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.conversation_time IS 'When it was said; decides the partition.';


--
-- Name: COLUMN conversations.input_text; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.input_text IS 'What the user said. Personal data.';


--
-- Name: COLUMN conversations.response_text; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.response_text IS 'What the chatbot answered. Personal data.';


--
-- Name: COLUMN conversations.extracted_intent; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.extracted_intent IS 'What the user wants, as understood.';


--
-- Name: COLUMN conversations.intent_confidence; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.intent_confidence IS 'How sure that is, 0 to 1.';


--
-- Name: COLUMN conversations.emotion; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.emotion IS 'Code of the emotion that was read in it.';


--
-- Name: COLUMN conversations.extracted_entities; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.extracted_entities IS 'Foods, places, amounts that were named.';


--
-- Name: COLUMN conversations.conversation_turn; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.conversation_turn IS 'Which turn of its session it is, from 1.';


--
-- Name: COLUMN conversations.previous_intent; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.previous_intent IS 'The intent of the turn before.';


--
-- Name: COLUMN conversations.user_strategy; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.user_strategy IS 'How the chatbot deals with this user at this stage.';


--
-- Name: COLUMN conversations.processing_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.processing_time_ms IS 'Time to process the turn, in milliseconds.';


--
-- Name: COLUMN conversations.nlu_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.nlu_time_ms IS 'Of that, language understanding.';


--
-- Name: COLUMN conversations.rag_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.rag_time_ms IS 'Of that, retrieval.';


--
-- Name: COLUMN conversations.response_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.response_time_ms IS 'Of that, generating the answer.';


--
-- Name: COLUMN conversations.response_quality_score; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.response_quality_score IS 'How good the answer is deemed, 0 to 1.';


--
-- Name: COLUMN conversations.user_satisfaction_inferred; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.user_satisfaction_inferred IS 'How satisfied the user seems, 0 to 1.';


--
-- Name: COLUMN conversations.conversation_coherence; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.conversation_coherence IS 'How well it hangs together, 0 to 1.';


--
-- Name: COLUMN conversations.recommended_shop_ids; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.recommended_shop_ids IS 'Ids of shops, without a foreign key: clean_invalid_shop_references() takes out those that are gone.';


--
-- Name: COLUMN conversations.selected_shop_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.selected_shop_id IS 'The shop that the user chose.';


--
-- Name: COLUMN conversations.applied_coupon_ids; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.conversations.applied_coupon_ids IS 'Codes of the coupons that were applied.';


--
-- Name: conversations_default; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.conversations_default (
    id bigint NOT NULL,
    session_id uuid NOT NULL,
    user_id integer,
    conversation_time timestamp with time zone DEFAULT now() NOT NULL,
    input_text character varying(1000),
    response_text character varying(700),
    extracted_intent character varying(50),
    intent_confidence numeric(4,3),
    emotion integer,
    extracted_entities jsonb,
    conversation_turn integer DEFAULT 1,
    previous_intent character varying(50),
    user_strategy character varying(20),
    processing_time_ms integer,
    nlu_time_ms integer,
    rag_time_ms integer,
    response_time_ms integer,
    response_quality_score numeric(4,3),
    user_satisfaction_inferred numeric(4,3),
    conversation_coherence numeric(4,3),
    recommended_shop_ids integer[],
    selected_shop_id integer,
    applied_coupon_ids text[],
    CONSTRAINT conversations_extracted_intent_check CHECK (((extracted_intent)::text = ANY ((ARRAY['FOOD_REQUEST'::character varying, 'BUDGET_INQUIRY'::character varying, 'COUPON_INQUIRY'::character varying, 'LOCATION_INQUIRY'::character varying, 'TIME_INQUIRY'::character varying, 'GENERAL_CHAT'::character varying, 'MENU_OPTION'::character varying, 'EMERGENCY_FOOD'::character varying, 'GROUP_DINING'::character varying, 'BALANCE_CHECK'::character varying, 'BALANCE_CHARGE'::character varying, 'UNKNOWN'::character varying])::text[]))),
    CONSTRAINT conversations_user_strategy_check CHECK (((user_strategy)::text = ANY ((ARRAY['onboarding_mode'::character varying, 'data_building_mode'::character varying, 'normal_mode'::character varying, 'urgent_mode'::character varying])::text[])))
);


ALTER TABLE chatbot.conversations_default OWNER TO yumai_pipeline;

--
-- Name: TABLE conversations_default; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.conversations_default IS 'Conversations of no month that has a partition.';


--
-- Name: conversations_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.conversations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.conversations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: coupons; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.coupons (
    id integer NOT NULL,
    coupon_name character varying(100) NOT NULL,
    coupon_code character varying(50),
    coupon_type character varying(30) NOT NULL,
    discount_amount integer,
    discount_rate numeric(4,3),
    usage_type character varying(30) DEFAULT 'ALL'::character varying NOT NULL,
    shop_id integer,
    category character varying(20),
    min_order_amount integer DEFAULT 0,
    max_discount_amount integer,
    total_limit integer,
    per_user_limit integer DEFAULT 1,
    valid_from timestamp with time zone DEFAULT now() NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    is_active boolean DEFAULT true,
    created_at timestamp with time zone DEFAULT now(),
    CONSTRAINT coupons_amount_xor_rate_check CHECK (
CASE coupon_type
    WHEN 'FIXED_AMOUNT'::text THEN ((discount_amount IS NOT NULL) AND (discount_rate IS NULL))
    WHEN 'PERCENTAGE'::text THEN ((discount_rate IS NOT NULL) AND (discount_amount IS NULL))
    ELSE ((discount_amount IS NULL) AND (discount_rate IS NULL))
END),
    CONSTRAINT coupons_check CHECK ((valid_until >= valid_from)),
    CONSTRAINT coupons_coupon_type_check CHECK (((coupon_type)::text = ANY ((ARRAY['FIXED_AMOUNT'::character varying, 'PERCENTAGE'::character varying, 'FREEBIE'::character varying, 'BOGO'::character varying])::text[]))),
    CONSTRAINT coupons_discount_amount_check CHECK ((discount_amount > 0)),
    CONSTRAINT coupons_discount_rate_check CHECK (((discount_rate > (0)::numeric) AND (discount_rate <= (1)::numeric))),
    CONSTRAINT coupons_max_discount_amount_check CHECK ((max_discount_amount > 0)),
    CONSTRAINT coupons_min_order_amount_check CHECK ((min_order_amount >= 0)),
    CONSTRAINT coupons_per_user_limit_check CHECK ((per_user_limit > 0)),
    CONSTRAINT coupons_total_limit_check CHECK ((total_limit > 0)),
    CONSTRAINT coupons_usage_type_check CHECK (((usage_type)::text = ANY ((ARRAY['ALL'::character varying, 'SHOP'::character varying, 'CATEGORY'::character varying, 'FOODCARD'::character varying, 'NEW_USER'::character varying, 'LOYALTY'::character varying])::text[])))
);


ALTER TABLE chatbot.coupons OWNER TO yumai_pipeline;

--
-- Name: TABLE coupons; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.coupons IS 'Coupons that users can have. One row per kind of coupon.';


--
-- Name: COLUMN coupons.discount_amount; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.coupons.discount_amount IS 'Won off, for FIXED_AMOUNT.';


--
-- Name: COLUMN coupons.discount_rate; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.coupons.discount_rate IS 'Share off, 0 to 1, for PERCENTAGE.';


--
-- Name: COLUMN coupons.shop_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.coupons.shop_id IS 'The shop where it counts, for usage_type SHOP.';


--
-- Name: COLUMN coupons.category; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.coupons.category IS 'The kind of food that it is for, for usage_type CATEGORY.';


--
-- Name: coupons_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.coupons ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.coupons_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: foodcard_users; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.foodcard_users (
    id integer NOT NULL,
    user_id integer NOT NULL,
    card_number character varying(30),
    card_type character varying(30),
    card_status character varying(20) DEFAULT 'ACTIVE'::character varying,
    balance integer DEFAULT 0,
    target_age_group character varying(20),
    balance_alert_threshold integer DEFAULT 5000,
    balance_alert_sent boolean DEFAULT false,
    last_sync_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now(),
    CONSTRAINT foodcard_users_balance_check CHECK ((balance >= 0)),
    CONSTRAINT foodcard_users_card_status_check CHECK (((card_status)::text = ANY ((ARRAY['ACTIVE'::character varying, 'INACTIVE'::character varying, 'SUSPENDED'::character varying, 'EXPIRED'::character varying, 'LOST'::character varying])::text[]))),
    CONSTRAINT foodcard_users_card_type_check CHECK (((card_type)::text = ANY ((ARRAY['아동급식카드'::character varying, '청소년급식카드'::character varying, '취약계층지원카드'::character varying, '기타'::character varying])::text[]))),
    CONSTRAINT foodcard_users_target_age_group_check CHECK (((target_age_group)::text = ANY ((ARRAY['초등학생'::character varying, '중학생'::character varying, '고등학생'::character varying, '대학생'::character varying, '청년'::character varying, '기타'::character varying])::text[])))
);


ALTER TABLE chatbot.foodcard_users OWNER TO yumai_pipeline;

--
-- Name: TABLE foodcard_users; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.foodcard_users IS 'Meal cards (급식카드). At most one row per user.';


--
-- Name: COLUMN foodcard_users.card_number; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.foodcard_users.card_number IS 'Number of the card. Personal data.';


--
-- Name: COLUMN foodcard_users.balance; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.foodcard_users.balance IS 'Balance in won.';


--
-- Name: COLUMN foodcard_users.balance_alert_threshold; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.foodcard_users.balance_alert_threshold IS 'Balance in won below which the user is told.';


--
-- Name: foodcard_users_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.foodcard_users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.foodcard_users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: menus; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.menus (
    id integer NOT NULL,
    shop_id integer NOT NULL,
    menu_name character varying(50) NOT NULL,
    price integer NOT NULL,
    menu_description text,
    category character varying(30),
    options jsonb,
    is_available boolean DEFAULT true,
    is_best boolean DEFAULT false,
    dietary_info character varying(200),
    recommendation_frequency integer DEFAULT 0,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now(),
    CONSTRAINT menus_category_check CHECK (((category)::text = ANY ((ARRAY['메인메뉴'::character varying, '세트메뉴'::character varying, '사이드메뉴'::character varying, '음료'::character varying, '디저트'::character varying, '기타'::character varying])::text[]))),
    CONSTRAINT menus_price_check CHECK ((price >= 0))
);


ALTER TABLE chatbot.menus OWNER TO yumai_pipeline;

--
-- Name: TABLE menus; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.menus IS 'What a shop offers. One row per shop and dish.';


--
-- Name: COLUMN menus.price; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.menus.price IS 'Price in won.';


--
-- Name: COLUMN menus.options; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.menus.options IS 'Choices such as size or spiciness.';


--
-- Name: COLUMN menus.recommendation_frequency; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.menus.recommendation_frequency IS 'How often it was recommended.';


--
-- Name: menus_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.menus ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.menus_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: orders; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.orders (
    id integer NOT NULL,
    user_id integer,
    shop_id integer NOT NULL,
    menu_id integer,
    order_status chatbot.order_status DEFAULT 'confirmed'::chatbot.order_status NOT NULL,
    order_time timestamp with time zone DEFAULT now() NOT NULL,
    quantity integer DEFAULT 1 NOT NULL,
    price integer NOT NULL,
    discount integer DEFAULT 0 NOT NULL,
    CONSTRAINT orders_discount_check CHECK ((discount >= 0)),
    CONSTRAINT orders_price_check CHECK ((price >= 0)),
    CONSTRAINT orders_quantity_check CHECK ((quantity > 0))
);


ALTER TABLE chatbot.orders OWNER TO yumai_pipeline;

--
-- Name: TABLE orders; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.orders IS 'Orders, a record of the business. One row per order and dish.';


--
-- Name: COLUMN orders.price; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.orders.price IS 'Price of one, in won, when it was ordered.';


--
-- Name: COLUMN orders.discount; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.orders.discount IS 'What came off the whole order, in won.';


--
-- Name: orders_coupons; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.orders_coupons (
    id integer NOT NULL,
    order_id integer NOT NULL,
    coupon_id integer NOT NULL,
    discount integer DEFAULT 0 NOT NULL,
    CONSTRAINT orders_coupons_discount_check CHECK ((discount >= 0))
);


ALTER TABLE chatbot.orders_coupons OWNER TO yumai_pipeline;

--
-- Name: TABLE orders_coupons; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.orders_coupons IS 'Coupons that were used. One row per order and coupon.';


--
-- Name: COLUMN orders_coupons.discount; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.orders_coupons.discount IS 'What the coupon took off, in won.';


--
-- Name: orders_coupons_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.orders_coupons ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.orders_coupons_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: orders_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.orders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: recent_conversations; Type: MATERIALIZED VIEW; Schema: chatbot; Owner: yumai_pipeline
--

CREATE MATERIALIZED VIEW chatbot.recent_conversations AS
 SELECT id,
    session_id,
    user_id,
    conversation_time,
    input_text,
    response_text,
    extracted_intent,
    intent_confidence,
    emotion,
    extracted_entities,
    conversation_turn,
    previous_intent,
    user_strategy,
    processing_time_ms,
    nlu_time_ms,
    rag_time_ms,
    response_time_ms,
    response_quality_score,
    user_satisfaction_inferred,
    conversation_coherence,
    recommended_shop_ids,
    selected_shop_id,
    applied_coupon_ids
   FROM chatbot.conversations
  WHERE ((conversation_time > (now() - '7 days'::interval)) AND (conversation_time <= now()))
  WITH NO DATA;


ALTER MATERIALIZED VIEW chatbot.recent_conversations OWNER TO yumai_pipeline;

--
-- Name: MATERIALIZED VIEW recent_conversations; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON MATERIALIZED VIEW chatbot.recent_conversations IS 'The conversations of the seven days before its last refresh. One row per turn. Section 7.1 of the database document.';


--
-- Name: COLUMN recent_conversations.id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.id IS 'Number of the turn; with conversation_time, its key.';


--
-- Name: COLUMN recent_conversations.session_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.session_id IS 'The session in which it was said.';


--
-- Name: COLUMN recent_conversations.user_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.user_id IS 'Who said it: the session''s user.';


--
-- Name: COLUMN recent_conversations.conversation_time; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.conversation_time IS 'When it was said; decides the partition.';


--
-- Name: COLUMN recent_conversations.input_text; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.input_text IS 'What the user said. Personal data.';


--
-- Name: COLUMN recent_conversations.response_text; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.response_text IS 'What the chatbot answered. Personal data.';


--
-- Name: COLUMN recent_conversations.extracted_intent; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.extracted_intent IS 'What the user wants, as understood.';


--
-- Name: COLUMN recent_conversations.intent_confidence; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.intent_confidence IS 'How sure that is, 0 to 1.';


--
-- Name: COLUMN recent_conversations.emotion; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.emotion IS 'Code of the emotion that was read in it.';


--
-- Name: COLUMN recent_conversations.extracted_entities; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.extracted_entities IS 'Foods, places, amounts that were named.';


--
-- Name: COLUMN recent_conversations.conversation_turn; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.conversation_turn IS 'Which turn of its session it is, from 1.';


--
-- Name: COLUMN recent_conversations.previous_intent; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.previous_intent IS 'The intent of the turn before.';


--
-- Name: COLUMN recent_conversations.user_strategy; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.user_strategy IS 'How the chatbot deals with this user at this stage.';


--
-- Name: COLUMN recent_conversations.processing_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.processing_time_ms IS 'Time to process the turn, in milliseconds.';


--
-- Name: COLUMN recent_conversations.nlu_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.nlu_time_ms IS 'Of that, language understanding.';


--
-- Name: COLUMN recent_conversations.rag_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.rag_time_ms IS 'Of that, retrieval.';


--
-- Name: COLUMN recent_conversations.response_time_ms; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.response_time_ms IS 'Of that, generating the answer.';


--
-- Name: COLUMN recent_conversations.response_quality_score; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.response_quality_score IS 'How good the answer is deemed, 0 to 1.';


--
-- Name: COLUMN recent_conversations.user_satisfaction_inferred; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.user_satisfaction_inferred IS 'How satisfied the user seems, 0 to 1.';


--
-- Name: COLUMN recent_conversations.conversation_coherence; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.conversation_coherence IS 'How well it hangs together, 0 to 1.';


--
-- Name: COLUMN recent_conversations.recommended_shop_ids; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.recommended_shop_ids IS 'Ids of shops, without a foreign key: clean_invalid_shop_references() takes out those that are gone.';


--
-- Name: COLUMN recent_conversations.selected_shop_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.selected_shop_id IS 'The shop that the user chose.';


--
-- Name: COLUMN recent_conversations.applied_coupon_ids; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.recent_conversations.applied_coupon_ids IS 'Codes of the coupons that were applied.';


--
-- Name: reviews; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.reviews (
    id integer NOT NULL,
    user_id integer,
    shop_id integer NOT NULL,
    order_id integer,
    rating numeric(2,1) NOT NULL,
    review_comment text,
    created_at timestamp with time zone DEFAULT now(),
    CONSTRAINT reviews_rating_check CHECK (((rating >= (0)::numeric) AND (rating <= (5)::numeric)))
);


ALTER TABLE chatbot.reviews OWNER TO yumai_pipeline;

--
-- Name: TABLE reviews; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.reviews IS 'Reviews of shops, a record of the business. At most one row per user and order.';


--
-- Name: reviews_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.reviews ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.reviews_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: session_master; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.session_master (
    session_id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    user_id integer,
    session_start timestamp with time zone DEFAULT now(),
    session_end timestamp with time zone,
    is_active boolean DEFAULT true,
    session_type character varying(50) DEFAULT 'chat'::character varying,
    session_metadata jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now(),
    CONSTRAINT session_master_session_type_check CHECK (((session_type)::text = ANY ((ARRAY['chat'::character varying, 'voice'::character varying, 'api'::character varying, 'test'::character varying, 'admin'::character varying])::text[])))
);


ALTER TABLE chatbot.session_master OWNER TO yumai_pipeline;

--
-- Name: TABLE session_master; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.session_master IS 'Sessions: all that is written in one points here, so that one DELETE takes all of it. One row per session; never partitioned.';


--
-- Name: COLUMN session_master.session_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.session_id IS 'Key of the session, a random UUID.';


--
-- Name: COLUMN session_master.user_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.user_id IS 'Whose session it is; NULL for somebody who has not signed in.';


--
-- Name: COLUMN session_master.session_start; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.session_start IS 'When it was opened.';


--
-- Name: COLUMN session_master.session_end; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.session_end IS 'When it was closed, or was last active; NULL while it is open.';


--
-- Name: COLUMN session_master.is_active; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.is_active IS 'Whether it is open.';


--
-- Name: COLUMN session_master.session_type; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.session_type IS 'chat, voice, api, test or admin.';


--
-- Name: COLUMN session_master.session_metadata; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.session_metadata IS 'What else is known, such as the device; "recovered" marks a session that was made for rows that had none.';


--
-- Name: COLUMN session_master.ip_address; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.ip_address IS 'Where it came from. Personal data.';


--
-- Name: COLUMN session_master.user_agent; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.user_agent IS 'The program that it came from. Personal data.';


--
-- Name: COLUMN session_master.created_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.created_at IS 'When the row was made.';


--
-- Name: COLUMN session_master.updated_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.session_master.updated_at IS 'When the row was last changed.';


--
-- Name: shops; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.shops (
    id integer NOT NULL,
    shop_name character varying(30) NOT NULL,
    category character varying(20),
    address_name character varying(50),
    latitude numeric(8,6),
    longitude numeric(9,6),
    is_good_influence_shop boolean DEFAULT false,
    is_food_card_shop character(1) DEFAULT 'U'::bpchar,
    contact character varying(20),
    business_hours jsonb,
    current_status character varying(20) DEFAULT 'UNKNOWN'::character varying,
    popularity_score numeric(4,3),
    quality_score numeric(4,3),
    recommendation_count integer DEFAULT 0,
    data_from character varying(50) DEFAULT 'manual'::character varying,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now(),
    CONSTRAINT shops_category_check CHECK (((category)::text = ANY ((ARRAY['한식'::character varying, '중식'::character varying, '일식'::character varying, '양식'::character varying, '치킨'::character varying, '피자'::character varying, '패스트푸드'::character varying, '분식'::character varying, '카페/디저트'::character varying, '도시락/죽'::character varying, '프랜차이즈'::character varying, '기타음식'::character varying, '편의점'::character varying])::text[]))),
    CONSTRAINT shops_current_status_check CHECK (((current_status)::text = ANY ((ARRAY['OPEN'::character varying, 'CLOSED'::character varying, 'BREAK_TIME'::character varying, 'UNKNOWN'::character varying])::text[]))),
    CONSTRAINT shops_is_food_card_shop_check CHECK ((is_food_card_shop = ANY (ARRAY['Y'::bpchar, 'N'::bpchar, 'P'::bpchar, 'U'::bpchar]))),
    CONSTRAINT shops_latitude_check CHECK (((latitude >= ('-90'::integer)::numeric) AND (latitude <= (90)::numeric))),
    CONSTRAINT shops_longitude_check CHECK (((longitude >= ('-180'::integer)::numeric) AND (longitude <= (180)::numeric))),
    CONSTRAINT shops_popularity_score_check CHECK (((popularity_score >= (0)::numeric) AND (popularity_score <= (1)::numeric))),
    CONSTRAINT shops_quality_score_check CHECK (((quality_score >= (0)::numeric) AND (quality_score <= (1)::numeric)))
);


ALTER TABLE chatbot.shops OWNER TO yumai_pipeline;

--
-- Name: TABLE shops; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.shops IS 'Restaurants, cafés and shops that the chatbot recommends. One row per shop.';


--
-- Name: COLUMN shops.id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.id IS 'Key of the shop.';


--
-- Name: COLUMN shops.shop_name; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.shop_name IS 'Name of the shop.';


--
-- Name: COLUMN shops.category; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.category IS 'Kind of food, one of thirteen.';


--
-- Name: COLUMN shops.address_name; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.address_name IS 'Address of the shop.';


--
-- Name: COLUMN shops.latitude; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.latitude IS 'Degrees north, WGS 84.';


--
-- Name: COLUMN shops.longitude; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.longitude IS 'Degrees east, WGS 84.';


--
-- Name: COLUMN shops.is_good_influence_shop; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.is_good_influence_shop IS 'Whether it feeds children for free or less (선한영향력가게).';


--
-- Name: COLUMN shops.is_food_card_shop; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.is_food_card_shop IS 'Whether it takes the meal card (급식카드): Yes, No, Partly, Unknown.';


--
-- Name: COLUMN shops.contact; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.contact IS 'Telephone number of the shop.';


--
-- Name: COLUMN shops.business_hours; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.business_hours IS 'Hours by day of the week: {"monday": {"open": "11:00", "close": "21:00"}, …}.';


--
-- Name: COLUMN shops.current_status; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.current_status IS 'Whether it is open.';


--
-- Name: COLUMN shops.popularity_score; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.popularity_score IS 'How popular it is, 0 to 1.';


--
-- Name: COLUMN shops.quality_score; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.quality_score IS 'How good it is, 0 to 1.';


--
-- Name: COLUMN shops.recommendation_count; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.recommendation_count IS 'How often it was recommended.';


--
-- Name: COLUMN shops.data_from; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.data_from IS 'Where the row comes from.';


--
-- Name: COLUMN shops.created_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.created_at IS 'When the row was made.';


--
-- Name: COLUMN shops.updated_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.shops.updated_at IS 'When the row was last changed.';


--
-- Name: shops_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.shops ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.shops_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_profiles; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.user_profiles (
    id integer NOT NULL,
    user_id integer NOT NULL,
    preferred_categories text[],
    average_budget integer,
    favorite_shops integer[],
    conversation_style character varying(20),
    taste_preferences jsonb,
    companion_patterns text[],
    location_preferences text[],
    good_influence_preference numeric(3,2),
    interaction_count integer DEFAULT 0,
    data_completeness numeric(3,2),
    recent_orders jsonb,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now()
);


ALTER TABLE chatbot.user_profiles OWNER TO yumai_pipeline;

--
-- Name: TABLE user_profiles; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.user_profiles IS 'What the chatbot has learned about a user. At most one row per user.';


--
-- Name: COLUMN user_profiles.average_budget; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.user_profiles.average_budget IS 'What a meal may cost, in won.';


--
-- Name: COLUMN user_profiles.favorite_shops; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.user_profiles.favorite_shops IS 'Ids of shops, without a foreign key: clean_invalid_shop_references() takes out those that are gone.';


--
-- Name: user_profiles_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.user_profiles ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.user_profiles_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_wallet; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.user_wallet (
    id integer NOT NULL,
    user_id integer NOT NULL,
    coupon_id integer NOT NULL,
    coupon_status character varying(20) DEFAULT 'ACTIVE'::character varying NOT NULL,
    acquisition_source character varying(50),
    acquired_at timestamp with time zone DEFAULT now(),
    used_at timestamp with time zone,
    CONSTRAINT user_wallet_coupon_status_check CHECK (((coupon_status)::text = ANY ((ARRAY['ACTIVE'::character varying, 'USED'::character varying, 'EXPIRED'::character varying, 'CANCELLED'::character varying])::text[])))
);


ALTER TABLE chatbot.user_wallet OWNER TO yumai_pipeline;

--
-- Name: TABLE user_wallet; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.user_wallet IS 'Coupons that users have. One row per coupon handed out.';


--
-- Name: COLUMN user_wallet.acquisition_source; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.user_wallet.acquisition_source IS 'How the user came by it.';


--
-- Name: user_wallet_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.user_wallet ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.user_wallet_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: users; Type: TABLE; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TABLE chatbot.users (
    id integer NOT NULL,
    external_user_id character varying(200),
    platform character varying(50) DEFAULT 'web'::character varying,
    user_name character varying(30),
    nickname character varying(30),
    email character varying(100),
    phone_number character varying(20),
    birthday date,
    current_address text,
    preferred_location character varying(50),
    user_status character varying(20) DEFAULT 'ACTIVE'::character varying,
    last_login_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now(),
    CONSTRAINT users_email_check CHECK (((email)::text ~* '^[^@\s]+@[^@\s]+\.[^@\s]+$'::text)),
    CONSTRAINT users_platform_check CHECK (((platform)::text = ANY ((ARRAY['web'::character varying, 'mobile_app'::character varying, 'kakao'::character varying, 'line'::character varying, 'facebook'::character varying, 'test'::character varying])::text[]))),
    CONSTRAINT users_user_status_check CHECK (((user_status)::text = ANY ((ARRAY['ACTIVE'::character varying, 'INACTIVE'::character varying, 'SUSPENDED'::character varying, 'DELETED'::character varying])::text[])))
);


ALTER TABLE chatbot.users OWNER TO yumai_pipeline;

--
-- Name: TABLE users; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON TABLE chatbot.users IS 'People who talk to the chatbot. One row per person and platform account.';


--
-- Name: COLUMN users.id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.id IS 'Key of the user.';


--
-- Name: COLUMN users.external_user_id; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.external_user_id IS 'The user''s id on the platform that they come from.';


--
-- Name: COLUMN users.platform; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.platform IS 'Where they talk to the chatbot.';


--
-- Name: COLUMN users.user_name; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.user_name IS 'Real name. Personal data.';


--
-- Name: COLUMN users.nickname; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.nickname IS 'How the chatbot addresses them. Personal data.';


--
-- Name: COLUMN users.email; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.email IS 'E-mail address. Personal data.';


--
-- Name: COLUMN users.phone_number; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.phone_number IS 'Telephone number. Personal data.';


--
-- Name: COLUMN users.birthday; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.birthday IS 'Date of birth. Personal data.';


--
-- Name: COLUMN users.current_address; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.current_address IS 'Address. Personal data.';


--
-- Name: COLUMN users.preferred_location; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.preferred_location IS 'Where they like to eat, such as a district or station.';


--
-- Name: COLUMN users.user_status; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.user_status IS 'State of the account.';


--
-- Name: COLUMN users.last_login_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.last_login_at IS 'When they were last seen.';


--
-- Name: COLUMN users.created_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.created_at IS 'When the row was made.';


--
-- Name: COLUMN users.updated_at; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON COLUMN chatbot.users.updated_at IS 'When the row was last changed.';


--
-- Name: users_id_seq; Type: SEQUENCE; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chatbot.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: ledger; Type: TABLE; Schema: extracts; Owner: yumai_pipeline
--

CREATE TABLE extracts.ledger (
    "extract" text NOT NULL,
    month date NOT NULL,
    row_count bigint NOT NULL,
    source_recommendations bigint NOT NULL,
    source_feedback bigint NOT NULL,
    last_recommendation_id bigint,
    last_feedback_id bigint,
    last_source_time timestamp with time zone,
    source_hash bigint NOT NULL,
    user_key_id text,
    min_group_users integer NOT NULL,
    code_version text NOT NULL,
    run_id text,
    built_at timestamp with time zone DEFAULT now() NOT NULL,
    checks_passed boolean,
    checked_at timestamp with time zone,
    purged_recommendations bigint DEFAULT 0 NOT NULL,
    purged_feedback bigint DEFAULT 0 NOT NULL,
    purged_hash bigint DEFAULT 0 NOT NULL,
    purged_at timestamp with time zone,
    as_of timestamp with time zone,
    built_because text DEFAULT 'not recorded by the version that built it'::text NOT NULL,
    late_recommendations bigint DEFAULT 0 NOT NULL,
    late_feedback bigint DEFAULT 0 NOT NULL,
    late_at timestamp with time zone,
    CONSTRAINT ledger_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT ledger_row_count_check CHECK ((row_count >= 0))
);


ALTER TABLE extracts.ledger OWNER TO yumai_pipeline;

--
-- Name: TABLE ledger; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON TABLE extracts.ledger IS 'What each month of each extract was built from, whether it was proven, and what retention has since deleted. One row per extract and month.';


--
-- Name: COLUMN ledger."extract"; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger."extract" IS 'Name of the extract.';


--
-- Name: COLUMN ledger.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.month IS 'First day of the month (Asia/Seoul).';


--
-- Name: COLUMN ledger.row_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.row_count IS 'Rows of the extract in that month.';


--
-- Name: COLUMN ledger.source_recommendations; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.source_recommendations IS 'Recommendations of the month that it was built from.';


--
-- Name: COLUMN ledger.source_feedback; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.source_feedback IS 'Feedbacks that count in the month.';


--
-- Name: COLUMN ledger.last_recommendation_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.last_recommendation_id IS 'The highest id of those recommendations.';


--
-- Name: COLUMN ledger.last_feedback_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.last_feedback_id IS 'The highest id of those feedbacks.';


--
-- Name: COLUMN ledger.last_source_time; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.last_source_time IS 'The latest time of any of them.';


--
-- Name: COLUMN ledger.source_hash; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.source_hash IS 'Fingerprint of all of them: the exclusive or of each row''s hash, so that it does not depend on their order. Another one means that the source has changed.';


--
-- Name: COLUMN ledger.user_key_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.user_key_id IS 'Fingerprint of the secret of the user keys: keys of months that differ here cannot be compared.';


--
-- Name: COLUMN ledger.min_group_users; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.min_group_users IS 'Groups of fewer users than this were merged; 1 for none.';


--
-- Name: COLUMN ledger.code_version; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.code_version IS 'Fingerprint of the SQL that built it.';


--
-- Name: COLUMN ledger.run_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.run_id IS 'The Dagster run that built it; NULL for none.';


--
-- Name: COLUMN ledger.built_at; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.built_at IS 'When it was built.';


--
-- Name: COLUMN ledger.checks_passed; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.checks_passed IS 'Whether it then passed its blocking checks; NULL while they have not run.';


--
-- Name: COLUMN ledger.checked_at; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.checked_at IS 'When they ran.';


--
-- Name: COLUMN ledger.purged_recommendations; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.purged_recommendations IS 'Recommendations of the month that retention has deleted. The month cannot be built anew from what is left.';


--
-- Name: COLUMN ledger.purged_feedback; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.purged_feedback IS 'Feedbacks that counted in the month and are deleted, or have lost their recommendation.';


--
-- Name: COLUMN ledger.purged_hash; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.purged_hash IS 'Fingerprint of both: the exclusive or of this and of what is left is source_hash, unless the source has changed.';


--
-- Name: COLUMN ledger.purged_at; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.purged_at IS 'When retention last deleted something of the month; NULL for never.';


--
-- Name: COLUMN ledger.as_of; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.as_of IS 'The extract is of the logs as they were at this time; NULL where an older version built it.';


--
-- Name: COLUMN ledger.built_because; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.built_because IS 'Why the month was built, or built again.';


--
-- Name: COLUMN ledger.late_recommendations; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.late_recommendations IS 'Recommendations of the month that came, changed or went after retention had deleted some of its rows. The month cannot be built again, so the extract is as before; each change counts.';


--
-- Name: COLUMN ledger.late_feedback; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.late_feedback IS 'The same of feedback that counts in the month.';


--
-- Name: COLUMN ledger.late_at; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.ledger.late_at IS 'When the last of these changes was found; NULL for none.';


--
-- Name: recommendation_outcomes; Type: TABLE; Schema: extracts; Owner: yumai_pipeline
--

CREATE TABLE extracts.recommendation_outcomes (
    month date NOT NULL,
    recommendation_id bigint NOT NULL,
    recommended_at timestamp with time zone NOT NULL,
    user_key text,
    session_type character varying NOT NULL,
    seconds_into_session double precision,
    request_category character varying,
    request_budget bigint,
    request_has_location boolean NOT NULL,
    recommendation_method character varying NOT NULL,
    confidence_score numeric,
    wide_score numeric,
    deep_score numeric,
    rag_score numeric,
    shop_id bigint,
    shop_category character varying NOT NULL,
    shop_takes_food_card character(1),
    shop_is_good_influence boolean,
    list_is_readable boolean NOT NULL,
    listed_shops integer NOT NULL,
    unreadable_shops integer NOT NULL,
    was_selected boolean NOT NULL,
    selected_shop_id bigint,
    selected_rank integer,
    seconds_to_selection double precision,
    feedback_count integer NOT NULL,
    rating_count integer NOT NULL,
    rating_mean numeric(4,3),
    last_feedback_at timestamp with time zone,
    CONSTRAINT recommendation_outcomes_check CHECK (((unreadable_shops >= 0) AND (unreadable_shops <= listed_shops))),
    CONSTRAINT recommendation_outcomes_check1 CHECK (((selected_shop_id IS NULL) OR was_selected)),
    CONSTRAINT recommendation_outcomes_check2 CHECK (((selected_rank IS NULL) OR (((selected_rank >= 1) AND (selected_rank <= listed_shops)) AND was_selected))),
    CONSTRAINT recommendation_outcomes_check3 CHECK (((rating_count >= 0) AND (rating_count <= feedback_count))),
    CONSTRAINT recommendation_outcomes_feedback_count_check CHECK ((feedback_count >= 0)),
    CONSTRAINT recommendation_outcomes_listed_shops_check CHECK ((listed_shops >= 0)),
    CONSTRAINT recommendation_outcomes_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT recommendation_outcomes_rating_mean_check CHECK (((rating_mean >= (1)::numeric) AND (rating_mean <= (5)::numeric))),
    CONSTRAINT recommendation_outcomes_seconds_into_session_check CHECK ((seconds_into_session >= (0)::double precision)),
    CONSTRAINT recommendation_outcomes_seconds_to_selection_check CHECK ((seconds_to_selection >= (0)::double precision)),
    CONSTRAINT recommendation_outcomes_user_key_check CHECK ((length(user_key) = 32))
)
PARTITION BY RANGE (month);


ALTER TABLE extracts.recommendation_outcomes OWNER TO yumai_pipeline;

--
-- Name: TABLE recommendation_outcomes; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON TABLE extracts.recommendation_outcomes IS 'What became of each recommendation. One row per recommendation.';


--
-- Name: COLUMN recommendation_outcomes.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.month IS 'First day of the month (Asia/Seoul) in which the recommendation was made.';


--
-- Name: COLUMN recommendation_outcomes.recommendation_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.recommendation_id IS 'Key of the recommendation in the log.';


--
-- Name: COLUMN recommendation_outcomes.recommended_at; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.recommended_at IS 'When it was made.';


--
-- Name: COLUMN recommendation_outcomes.user_key; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.user_key IS 'Pseudonym of the user: the first 128 bits, in hex, of an HMAC-SHA-256 of the id, the same in all months that were built under one secret (ledger.user_key_id). NULL for nobody signed in.';


--
-- Name: COLUMN recommendation_outcomes.session_type; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.session_type IS 'chat, voice, api, test or admin; unknown where the session does not say.';


--
-- Name: COLUMN recommendation_outcomes.seconds_into_session; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.seconds_into_session IS 'Seconds from the start of the session to the recommendation; NULL where the session does not say, or started later.';


--
-- Name: COLUMN recommendation_outcomes.request_category; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.request_category IS 'The food that was asked for, where it is a category of shops; other for any other food, whose name is not taken over; NULL for none.';


--
-- Name: COLUMN recommendation_outcomes.request_budget; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.request_budget IS 'The budget that was named, in won.';


--
-- Name: COLUMN recommendation_outcomes.request_has_location; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.request_has_location IS 'Whether a place was named. Which one is not taken over: it may be somebody''s address.';


--
-- Name: COLUMN recommendation_outcomes.recommendation_method; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.recommendation_method IS 'How it was made: wide_deep, rag, hybrid; unknown where the log does not say.';


--
-- Name: COLUMN recommendation_outcomes.confidence_score; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.confidence_score IS 'How sure the method was, 0 to 1, as logged: one that is out of that range is too.';


--
-- Name: COLUMN recommendation_outcomes.wide_score; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.wide_score IS 'Score of the wide part of the model, as logged.';


--
-- Name: COLUMN recommendation_outcomes.deep_score; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.deep_score IS 'Score of the deep part of the model, as logged.';


--
-- Name: COLUMN recommendation_outcomes.rag_score; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.rag_score IS 'Score of the retrieval, as logged.';


--
-- Name: COLUMN recommendation_outcomes.shop_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.shop_id IS 'The shop that the recommendation is about; NULL where the log does not say, or the shop is gone.';


--
-- Name: COLUMN recommendation_outcomes.shop_category; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.shop_category IS 'Its category when the extract was built; unknown where the shop is gone or has none.';


--
-- Name: COLUMN recommendation_outcomes.shop_takes_food_card; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.shop_takes_food_card IS 'Whether it takes the meal card: Y, N, P (in part) or U (unknown), when the extract was built.';


--
-- Name: COLUMN recommendation_outcomes.shop_is_good_influence; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.shop_is_good_influence IS 'Whether it is a 선한영향력 shop, when the extract was built.';


--
-- Name: COLUMN recommendation_outcomes.list_is_readable; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.list_is_readable IS 'Whether the log holds a list of shops: false for an object or anything else.';


--
-- Name: COLUMN recommendation_outcomes.listed_shops; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.listed_shops IS 'Number of places in the list; 0 where it is not readable.';


--
-- Name: COLUMN recommendation_outcomes.unreadable_shops; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.unreadable_shops IS 'Number of places that name no shop in a readable way.';


--
-- Name: COLUMN recommendation_outcomes.was_selected; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.was_selected IS 'Whether something was chosen.';


--
-- Name: COLUMN recommendation_outcomes.selected_shop_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.selected_shop_id IS 'The shop that was chosen, as logged, even if it is gone; NULL where that cannot be read.';


--
-- Name: COLUMN recommendation_outcomes.selected_rank; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.selected_rank IS 'Its first place in the list, from 1; NULL where nothing in the list was chosen.';


--
-- Name: COLUMN recommendation_outcomes.seconds_to_selection; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.seconds_to_selection IS 'Seconds from the recommendation to the selection; NULL where nothing was chosen, the log does not say when, or says before.';


--
-- Name: COLUMN recommendation_outcomes.feedback_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.feedback_count IS 'Number of feedbacks on it, whenever they were given.';


--
-- Name: COLUMN recommendation_outcomes.rating_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.rating_count IS 'Number of those with a valid rating.';


--
-- Name: COLUMN recommendation_outcomes.rating_mean; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';


--
-- Name: COLUMN recommendation_outcomes.last_feedback_at; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_outcomes.last_feedback_at IS 'When the last feedback on it was given; NULL for none.';


--
-- Name: shop_performance; Type: TABLE; Schema: extracts; Owner: yumai_pipeline
--

CREATE TABLE extracts.shop_performance (
    month date NOT NULL,
    shop_id bigint NOT NULL,
    shop_name character varying,
    shop_category character varying NOT NULL,
    listed bigint NOT NULL,
    listed_top bigint NOT NULL,
    mean_rank double precision,
    users bigint NOT NULL,
    selections bigint NOT NULL,
    selections_listed bigint NOT NULL,
    selection_rate numeric(6,5),
    feedback_count bigint NOT NULL,
    rating_count bigint NOT NULL,
    rating_mean numeric(4,3),
    positive bigint NOT NULL,
    negative bigint NOT NULL,
    CONSTRAINT shop_performance_check CHECK (((listed_top >= 0) AND (listed_top <= listed))),
    CONSTRAINT shop_performance_check1 CHECK (((selections_listed >= 0) AND (selections_listed <= LEAST(listed, selections)))),
    CONSTRAINT shop_performance_check2 CHECK (((rating_count >= 0) AND (rating_count <= feedback_count))),
    CONSTRAINT shop_performance_check3 CHECK (((positive >= 0) AND (positive <= feedback_count))),
    CONSTRAINT shop_performance_check4 CHECK (((negative >= 0) AND (negative <= (feedback_count - positive)))),
    CONSTRAINT shop_performance_feedback_count_check CHECK ((feedback_count >= 0)),
    CONSTRAINT shop_performance_listed_check CHECK ((listed >= 0)),
    CONSTRAINT shop_performance_mean_rank_check CHECK ((mean_rank >= (1)::double precision)),
    CONSTRAINT shop_performance_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT shop_performance_rating_mean_check CHECK (((rating_mean >= (1)::numeric) AND (rating_mean <= (5)::numeric))),
    CONSTRAINT shop_performance_selection_rate_check CHECK (((selection_rate >= (0)::numeric) AND (selection_rate <= (1)::numeric))),
    CONSTRAINT shop_performance_selections_check CHECK ((selections >= 0)),
    CONSTRAINT shop_performance_shop_id_check CHECK ((shop_id >= '-1'::integer)),
    CONSTRAINT shop_performance_users_check CHECK ((users >= 0))
);


ALTER TABLE extracts.shop_performance OWNER TO yumai_pipeline;

--
-- Name: TABLE shop_performance; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON TABLE extracts.shop_performance IS 'How often each shop was listed, chosen and praised. One row per month and shop that was listed, chosen or spoken of.';


--
-- Name: COLUMN shop_performance.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.month IS 'First day of the month (Asia/Seoul) in which the shop was listed; of a feedback, the month of its recommendation if it has one, else its own.';


--
-- Name: COLUMN shop_performance.shop_id; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.shop_id IS 'The shop, as the log names it, even if it is gone; 0 for places, selections and feedbacks that name no shop in a readable way; -1 for shops of too few users, if such groups are merged (ledger.min_group_users).';


--
-- Name: COLUMN shop_performance.shop_name; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.shop_name IS 'Its name when the extract was built; NULL where it is gone.';


--
-- Name: COLUMN shop_performance.shop_category; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.shop_category IS 'Its category when the extract was built; unknown where it is gone or has none; suppressed for merged shops.';


--
-- Name: COLUMN shop_performance.listed; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.listed IS 'Number of recommendations whose list has the shop; twice in one list counts once.';


--
-- Name: COLUMN shop_performance.listed_top; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.listed_top IS 'Number of those in which it stands first.';


--
-- Name: COLUMN shop_performance.mean_rank; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.mean_rank IS 'Mean of its places in these lists, from 1, the first place in each; NULL where it was never listed.';


--
-- Name: COLUMN shop_performance.users; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.users IS 'Number of users to whom it was listed; nobody signed in is not counted.';


--
-- Name: COLUMN shop_performance.selections; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.selections IS 'Number of recommendations from which it was chosen, whether or not their list has it.';


--
-- Name: COLUMN shop_performance.selections_listed; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.selections_listed IS 'Number of those whose list has it.';


--
-- Name: COLUMN shop_performance.selection_rate; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.selection_rate IS 'selections_listed / listed, 0 to 1; NULL where it was never listed.';


--
-- Name: COLUMN shop_performance.feedback_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.feedback_count IS 'Number of feedbacks whose target is the shop.';


--
-- Name: COLUMN shop_performance.rating_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.rating_count IS 'Number of those with a valid rating.';


--
-- Name: COLUMN shop_performance.rating_mean; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';


--
-- Name: COLUMN shop_performance.positive; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.positive IS 'Number of feedbacks with a rating of 4 or more or, without a valid one, a positive sentiment.';


--
-- Name: COLUMN shop_performance.negative; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.shop_performance.negative IS 'Number of feedbacks with a rating of 2 or less or, without a valid one, a negative sentiment.';


--
-- Name: source_changes; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.source_changes (
    id bigint NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    changed_by xid8 DEFAULT pg_current_xact_id() NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone,
    recommendations bigint DEFAULT 0 NOT NULL,
    feedback bigint DEFAULT 0 NOT NULL,
    shop_id bigint,
    session_id uuid
);


ALTER TABLE yumai_pipelines.source_changes OWNER TO yumai_pipeline;

--
-- Name: TABLE source_changes; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.source_changes IS 'What changed of what the extracts read, and is in no extract yet. One row per statement and day (UTC) of the rows that it changed; or per shop or session whose attributes changed. Triggers write it, whichever way the change comes; builds of the extracts take out what they have read. Each is of either times, or a shop, or a session.';


--
-- Name: COLUMN source_changes.id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.id IS 'Number of the note.';


--
-- Name: COLUMN source_changes.noted_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.noted_at IS 'When it changed.';


--
-- Name: COLUMN source_changes.changed_by; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.changed_by IS 'The transaction that changed it: retention takes out its own.';


--
-- Name: COLUMN source_changes.first_time; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.first_time IS 'The earliest time that decides the month of one of the rows: of the recommendation, or of feedback on none.';


--
-- Name: COLUMN source_changes.last_time; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.last_time IS 'The latest such time, on the same day.';


--
-- Name: COLUMN source_changes.recommendations; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.recommendations IS 'Recommendations that came, changed or went.';


--
-- Name: COLUMN source_changes.feedback; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.feedback IS 'Feedback that came, changed or went.';


--
-- Name: COLUMN source_changes.shop_id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.shop_id IS 'A shop that came or went, or whose name, category or marks changed: each month whose extracts name it has changed.';


--
-- Name: COLUMN source_changes.session_id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.source_changes.session_id IS 'A session whose type or start changed: each month with a recommendation of it has changed.';


--
-- Name: changes_by_month; Type: VIEW; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE VIEW yumai_pipelines.changes_by_month AS
 SELECT c.id,
    changed.month,
    c.recommendations,
    c.feedback,
    c.noted_at,
    c.changed_by
   FROM ((yumai_pipelines.source_changes c
     CROSS JOIN ( SELECT COALESCE(max(split_part(entry.setting, '='::text, 2)), 'Asia/Seoul'::text) AS name
           FROM (pg_db_role_setting d
             CROSS JOIN LATERAL unnest(d.setconfig) entry(setting))
          WHERE ((d.setdatabase = ( SELECT here.oid
                   FROM pg_database here
                  WHERE (here.datname = current_database()))) AND (d.setrole = (0)::oid) AND (lower(entry.setting) ~~ 'timezone=%'::text))) zone)
     CROSS JOIN LATERAL ( SELECT (date_trunc('month'::text, (moment."time" AT TIME ZONE zone.name)))::date AS month
           FROM ( SELECT c.first_time AS "time"
                UNION ALL
                 SELECT c.last_time
                UNION ALL
                 SELECT r.time_stamp
                   FROM analytics.recommendations_log r
                  WHERE (r.session_id = c.session_id)) moment
          WHERE ((moment."time" >= '0001-01-02 08:27:52+08:27:52'::timestamp with time zone) AND (moment."time" < '9999-01-01 09:00:00+09'::timestamp with time zone))
        UNION
         SELECT o.month
           FROM extracts.recommendation_outcomes o
          WHERE (o.shop_id = c.shop_id)
        UNION
         SELECT p.month
           FROM extracts.shop_performance p
          WHERE (p.shop_id = c.shop_id)) changed);


ALTER VIEW yumai_pipelines.changes_by_month OWNER TO yumai_pipeline;

--
-- Name: VIEW changes_by_month; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON VIEW yumai_pipelines.changes_by_month IS 'The months that each of source_changes is about. One row per note and month.';


--
-- Name: COLUMN changes_by_month.id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.changes_by_month.id IS 'Number of the note.';


--
-- Name: COLUMN changes_by_month.month; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.changes_by_month.month IS 'First day of the month, in the business''s time zone.';


--
-- Name: COLUMN changes_by_month.recommendations; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.changes_by_month.recommendations IS 'Recommendations that came, changed or went.';


--
-- Name: COLUMN changes_by_month.feedback; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.changes_by_month.feedback IS 'Feedback that came, changed or went.';


--
-- Name: COLUMN changes_by_month.noted_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.changes_by_month.noted_at IS 'When.';


--
-- Name: COLUMN changes_by_month.changed_by; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.changes_by_month.changed_by IS 'The transaction that changed it.';


--
-- Name: changed_months; Type: VIEW; Schema: extracts; Owner: yumai_pipeline
--

CREATE VIEW extracts.changed_months AS
 SELECT month,
    (sum(recommendations))::bigint AS recommendations,
    (sum(feedback))::bigint AS feedback,
    min(noted_at) AS changed_since
   FROM yumai_pipelines.changes_by_month c
  WHERE (EXISTS ( SELECT
           FROM extracts.ledger l
          WHERE (l.month = c.month)))
  GROUP BY month;


ALTER VIEW extracts.changed_months OWNER TO yumai_pipeline;

--
-- Name: VIEW changed_months; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON VIEW extracts.changed_months IS 'Months whose logs have changed since their extracts were built, and what changed. One row per month; none for a month whose extracts are of the logs as they are.';


--
-- Name: COLUMN changed_months.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.changed_months.month IS 'First day of the month (Asia/Seoul).';


--
-- Name: COLUMN changed_months.recommendations; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.changed_months.recommendations IS 'Recommendations that came, changed or went since.';


--
-- Name: COLUMN changed_months.feedback; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.changed_months.feedback IS 'Feedback that came, changed or went since. Where both are 0, a shop or a session changed that the month names.';


--
-- Name: COLUMN changed_months.changed_since; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.changed_months.changed_since IS 'When the first of it changed.';


--
-- Name: feedback_summary; Type: TABLE; Schema: extracts; Owner: yumai_pipeline
--

CREATE TABLE extracts.feedback_summary (
    month date NOT NULL,
    feedback_type character varying NOT NULL,
    target_type character varying NOT NULL,
    feedback_count bigint NOT NULL,
    users bigint NOT NULL,
    sessions bigint NOT NULL,
    linked bigint NOT NULL,
    rating_count bigint NOT NULL,
    rating_mean numeric(4,3),
    rating_1 bigint NOT NULL,
    rating_2 bigint NOT NULL,
    rating_3 bigint NOT NULL,
    rating_4 bigint NOT NULL,
    rating_5 bigint NOT NULL,
    invalid_ratings bigint NOT NULL,
    CONSTRAINT feedback_summary_check CHECK (((linked >= 0) AND (linked <= feedback_count))),
    CONSTRAINT feedback_summary_check1 CHECK (((rating_count >= 0) AND (rating_count <= feedback_count))),
    CONSTRAINT feedback_summary_check2 CHECK (((invalid_ratings >= 0) AND (invalid_ratings <= (feedback_count - rating_count)))),
    CONSTRAINT feedback_summary_check3 CHECK ((((((rating_1 + rating_2) + rating_3) + rating_4) + rating_5) = rating_count)),
    CONSTRAINT feedback_summary_feedback_count_check CHECK ((feedback_count > 0)),
    CONSTRAINT feedback_summary_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT feedback_summary_rating_1_check CHECK ((rating_1 >= 0)),
    CONSTRAINT feedback_summary_rating_2_check CHECK ((rating_2 >= 0)),
    CONSTRAINT feedback_summary_rating_3_check CHECK ((rating_3 >= 0)),
    CONSTRAINT feedback_summary_rating_4_check CHECK ((rating_4 >= 0)),
    CONSTRAINT feedback_summary_rating_5_check CHECK ((rating_5 >= 0)),
    CONSTRAINT feedback_summary_rating_mean_check CHECK (((rating_mean >= (1)::numeric) AND (rating_mean <= (5)::numeric))),
    CONSTRAINT feedback_summary_sessions_check CHECK ((sessions >= 0)),
    CONSTRAINT feedback_summary_users_check CHECK ((users >= 0))
);


ALTER TABLE extracts.feedback_summary OWNER TO yumai_pipeline;

--
-- Name: TABLE feedback_summary; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON TABLE extracts.feedback_summary IS 'What was said about what. One row per month, feedback type and target type.';


--
-- Name: COLUMN feedback_summary.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.month IS 'First day of the month (Asia/Seoul) of the recommendation that the feedback is on; of its own month, if it is on none.';


--
-- Name: COLUMN feedback_summary.feedback_type; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.feedback_type IS 'selection, rating, text, implicit, complaint, share, …; unknown where the log does not say; suppressed for merged groups of too few users (ledger.min_group_users).';


--
-- Name: COLUMN feedback_summary.target_type; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.target_type IS 'Kind of thing that it is about: shop, recommendation, conversation, service, …; unknown where the log does not say.';


--
-- Name: COLUMN feedback_summary.feedback_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.feedback_count IS 'Number of feedbacks.';


--
-- Name: COLUMN feedback_summary.users; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.users IS 'Number of users who gave them; nobody signed in is not counted.';


--
-- Name: COLUMN feedback_summary.sessions; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.sessions IS 'Number of sessions in which they were given.';


--
-- Name: COLUMN feedback_summary.linked; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.linked IS 'Number of those on a recommendation.';


--
-- Name: COLUMN feedback_summary.rating_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_count IS 'Number of those with a valid rating.';


--
-- Name: COLUMN feedback_summary.rating_mean; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';


--
-- Name: COLUMN feedback_summary.rating_1; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_1 IS 'Number of valid ratings that round to 1; halves round up.';


--
-- Name: COLUMN feedback_summary.rating_2; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_2 IS 'Number of valid ratings that round to 2.';


--
-- Name: COLUMN feedback_summary.rating_3; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_3 IS 'Number of valid ratings that round to 3.';


--
-- Name: COLUMN feedback_summary.rating_4; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_4 IS 'Number of valid ratings that round to 4.';


--
-- Name: COLUMN feedback_summary.rating_5; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.rating_5 IS 'Number of valid ratings that round to 5.';


--
-- Name: COLUMN feedback_summary.invalid_ratings; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.feedback_summary.invalid_ratings IS 'Number of feedbacks of the type rating, or with a rating, that have no valid one: text, null, out of 1 to 5, nested, absent.';


--
-- Name: recommendation_funnel; Type: TABLE; Schema: extracts; Owner: yumai_pipeline
--

CREATE TABLE extracts.recommendation_funnel (
    month date NOT NULL,
    recommendation_method character varying NOT NULL,
    shop_category character varying NOT NULL,
    recommendations bigint NOT NULL,
    sessions bigint NOT NULL,
    users bigint NOT NULL,
    selections bigint NOT NULL,
    selection_rate numeric(6,5),
    median_seconds_to_selection double precision,
    feedback_count bigint NOT NULL,
    feedback_rate numeric(6,5),
    rating_count bigint NOT NULL,
    rating_mean numeric(4,3),
    CONSTRAINT recommendation_funnel_check CHECK (((selections >= 0) AND (selections <= recommendations))),
    CONSTRAINT recommendation_funnel_check1 CHECK (((rating_count >= 0) AND (rating_count <= feedback_count))),
    CONSTRAINT recommendation_funnel_feedback_count_check CHECK ((feedback_count >= 0)),
    CONSTRAINT recommendation_funnel_feedback_rate_check CHECK (((feedback_rate >= (0)::numeric) AND (feedback_rate <= (1)::numeric))),
    CONSTRAINT recommendation_funnel_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT recommendation_funnel_rating_mean_check CHECK (((rating_mean >= (1)::numeric) AND (rating_mean <= (5)::numeric))),
    CONSTRAINT recommendation_funnel_recommendations_check CHECK ((recommendations >= 0)),
    CONSTRAINT recommendation_funnel_selection_rate_check CHECK (((selection_rate >= (0)::numeric) AND (selection_rate <= (1)::numeric))),
    CONSTRAINT recommendation_funnel_sessions_check CHECK ((sessions >= 0)),
    CONSTRAINT recommendation_funnel_users_check CHECK ((users >= 0))
);


ALTER TABLE extracts.recommendation_funnel OWNER TO yumai_pipeline;

--
-- Name: TABLE recommendation_funnel; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON TABLE extracts.recommendation_funnel IS 'From recommendation to selection to feedback. One row per month, recommendation method and shop category. Feedback on no recommendation counts in the row unknown, unknown, which may have no recommendations.';


--
-- Name: COLUMN recommendation_funnel.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.month IS 'First day of the month (Asia/Seoul) in which the recommendations were made.';


--
-- Name: COLUMN recommendation_funnel.recommendation_method; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.recommendation_method IS 'How they were made: wide_deep, rag, hybrid; unknown where the log does not say.';


--
-- Name: COLUMN recommendation_funnel.shop_category; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.shop_category IS 'Category of the recommended shop; unknown where the shop is gone or has none.';


--
-- Name: COLUMN recommendation_funnel.recommendations; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.recommendations IS 'Number of recommendations.';


--
-- Name: COLUMN recommendation_funnel.sessions; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.sessions IS 'Number of sessions that they were made in.';


--
-- Name: COLUMN recommendation_funnel.users; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.users IS 'Number of users that they were made to; nobody signed in is not counted.';


--
-- Name: COLUMN recommendation_funnel.selections; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.selections IS 'Number of recommendations from which something was chosen.';


--
-- Name: COLUMN recommendation_funnel.selection_rate; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.selection_rate IS 'selections / recommendations, 0 to 1.';


--
-- Name: COLUMN recommendation_funnel.median_seconds_to_selection; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.median_seconds_to_selection IS 'Median seconds from recommendation to selection; NULL where nothing was chosen.';


--
-- Name: COLUMN recommendation_funnel.feedback_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.feedback_count IS 'Number of feedbacks on these recommendations, whenever they were given; in the row unknown, unknown also of those on none.';


--
-- Name: COLUMN recommendation_funnel.feedback_rate; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.feedback_rate IS 'Share of the recommendations that have at least one feedback, 0 to 1.';


--
-- Name: COLUMN recommendation_funnel.rating_count; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.rating_count IS 'Number of feedbacks with a valid rating.';


--
-- Name: COLUMN recommendation_funnel.rating_mean; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.recommendation_funnel.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';


--
-- Name: score_calibration; Type: TABLE; Schema: extracts; Owner: yumai_pipeline
--

CREATE TABLE extracts.score_calibration (
    month date NOT NULL,
    recommendation_method character varying NOT NULL,
    score character varying(10) NOT NULL,
    decile smallint NOT NULL,
    recommendations bigint NOT NULL,
    mean_score numeric(6,5),
    selections bigint NOT NULL,
    selection_rate numeric(6,5),
    CONSTRAINT score_calibration_check CHECK (((selections >= 0) AND (selections <= recommendations))),
    CONSTRAINT score_calibration_decile_check CHECK (((decile >= '-1'::integer) AND (decile <= 10))),
    CONSTRAINT score_calibration_mean_score_check CHECK (((mean_score >= (0)::numeric) AND (mean_score <= (1)::numeric))),
    CONSTRAINT score_calibration_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT score_calibration_recommendations_check CHECK ((recommendations > 0)),
    CONSTRAINT score_calibration_score_check CHECK (((score)::text = ANY ((ARRAY['confidence'::character varying, 'wide'::character varying, 'deep'::character varying, 'rag'::character varying])::text[]))),
    CONSTRAINT score_calibration_selection_rate_check CHECK (((selection_rate >= (0)::numeric) AND (selection_rate <= (1)::numeric)))
);


ALTER TABLE extracts.score_calibration OWNER TO yumai_pipeline;

--
-- Name: TABLE score_calibration; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON TABLE extracts.score_calibration IS 'Whether scores say how likely a selection is. One row per month, recommendation method, score and tenth of its range.';


--
-- Name: COLUMN score_calibration.month; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.month IS 'First day of the month (Asia/Seoul) in which the recommendations were made.';


--
-- Name: COLUMN score_calibration.recommendation_method; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.recommendation_method IS 'How they were made: wide_deep, rag, hybrid; unknown where the log does not say; suppressed for merged groups of too few users (ledger.min_group_users).';


--
-- Name: COLUMN score_calibration.score; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.score IS 'Which score: confidence, wide, deep or rag.';


--
-- Name: COLUMN score_calibration.decile; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.decile IS 'The tenth of the score''s range: 1 from 0 to below 0.1, …, 10 from 0.9 to 1; 0 for a score that is out of its range; -1 for merged groups.';


--
-- Name: COLUMN score_calibration.recommendations; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.recommendations IS 'Number of recommendations with such a score; those without one are in no row.';


--
-- Name: COLUMN score_calibration.mean_score; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.mean_score IS 'Mean of these scores, 0 to 1; NULL where they are out of range.';


--
-- Name: COLUMN score_calibration.selections; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.selections IS 'Number of these recommendations from which something was chosen.';


--
-- Name: COLUMN score_calibration.selection_rate; Type: COMMENT; Schema: extracts; Owner: yumai_pipeline
--

COMMENT ON COLUMN extracts.score_calibration.selection_rate IS 'selections / recommendations, 0 to 1: equal to mean_score for a calibrated score.';


--
-- Name: nlu_features; Type: TABLE; Schema: ml_features; Owner: yumai_pipeline
--

CREATE TABLE ml_features.nlu_features (
    id bigint NOT NULL,
    user_id integer,
    nlu_intent character varying(50),
    nlu_confidence numeric(4,3),
    food_category_mentioned character varying(100),
    budget_mentioned integer,
    location_mentioned character varying(100),
    companions_mentioned json,
    time_preference character varying(50),
    menu_options json,
    special_requirements json,
    processing_time_ms integer,
    model_version character varying(50),
    created_at timestamp with time zone DEFAULT now()
);


ALTER TABLE ml_features.nlu_features OWNER TO yumai_pipeline;

--
-- Name: TABLE nlu_features; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON TABLE ml_features.nlu_features IS 'What language understanding found in a message. One row per message.';


--
-- Name: COLUMN nlu_features.budget_mentioned; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.nlu_features.budget_mentioned IS 'The budget that was named, in won.';


--
-- Name: nlu_features_id_seq; Type: SEQUENCE; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ml_features.nlu_features ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ml_features.nlu_features_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_interactions; Type: TABLE; Schema: ml_features; Owner: yumai_pipeline
--

CREATE TABLE ml_features.user_interactions (
    id bigint NOT NULL,
    user_id integer,
    session_id uuid NOT NULL,
    time_stamp timestamp with time zone DEFAULT now() NOT NULL,
    interaction_type ml_features.interaction_type,
    food_preference_extracted character varying(100),
    budget_pattern_extracted integer,
    companion_pattern_extracted json,
    location_preference_extracted character varying(100),
    recommendation_provided boolean DEFAULT false,
    recommendation_count integer DEFAULT 0,
    recommendations jsonb,
    user_strategy character varying(30),
    conversation_turn integer
);


ALTER TABLE ml_features.user_interactions OWNER TO yumai_pipeline;

--
-- Name: TABLE user_interactions; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON TABLE ml_features.user_interactions IS 'What a user did in a session. One row per act.';


--
-- Name: COLUMN user_interactions.id; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.id IS 'Key of the act.';


--
-- Name: COLUMN user_interactions.user_id; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.user_id IS 'Who did it.';


--
-- Name: COLUMN user_interactions.session_id; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.session_id IS 'The session in which it was done.';


--
-- Name: COLUMN user_interactions.time_stamp; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.time_stamp IS 'When it was done.';


--
-- Name: COLUMN user_interactions.interaction_type; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.interaction_type IS 'What it was.';


--
-- Name: COLUMN user_interactions.food_preference_extracted; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.food_preference_extracted IS 'The food that it points to.';


--
-- Name: COLUMN user_interactions.budget_pattern_extracted; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.budget_pattern_extracted IS 'The budget that it points to, in won.';


--
-- Name: COLUMN user_interactions.companion_pattern_extracted; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.companion_pattern_extracted IS 'With whom, as far as it says.';


--
-- Name: COLUMN user_interactions.location_preference_extracted; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.location_preference_extracted IS 'The place that it points to.';


--
-- Name: COLUMN user_interactions.recommendation_provided; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.recommendation_provided IS 'Whether the chatbot recommended something.';


--
-- Name: COLUMN user_interactions.recommendation_count; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.recommendation_count IS 'How many shops it recommended.';


--
-- Name: COLUMN user_interactions.recommendations; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.recommendations IS 'The shops that it recommended.';


--
-- Name: COLUMN user_interactions.user_strategy; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.user_strategy IS 'How the chatbot dealt with this user.';


--
-- Name: COLUMN user_interactions.conversation_turn; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON COLUMN ml_features.user_interactions.conversation_turn IS 'The turn of the session, from 1.';


--
-- Name: user_interactions_id_seq; Type: SEQUENCE; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ml_features.user_interactions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ml_features.user_interactions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: accepted_differences; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.accepted_differences (
    object text NOT NULL,
    theirs text,
    ours text,
    why text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accepted_differences_check CHECK ((theirs IS DISTINCT FROM ours)),
    CONSTRAINT accepted_differences_why_check CHECK ((why ~ '\S'::text))
);


ALTER TABLE yumai_pipelines.accepted_differences OWNER TO yumai_pipeline;

--
-- Name: TABLE accepted_differences; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.accepted_differences IS 'Objects that are not what the migrations make, and may stay so: no drift, until they change again. One row per object.';


--
-- Name: COLUMN accepted_differences.object; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.accepted_differences.object IS 'Kind and name, such as: column chatbot.coupons.coupon_type.';


--
-- Name: COLUMN accepted_differences.theirs; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.accepted_differences.theirs IS 'Its definition in this database; NULL where it is missing.';


--
-- Name: COLUMN accepted_differences.ours; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.accepted_differences.ours IS 'The definition that the migrations make; NULL for an object that they do not know.';


--
-- Name: COLUMN accepted_differences.why; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.accepted_differences.why IS 'Why it may stay so.';


--
-- Name: COLUMN accepted_differences.since; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.accepted_differences.since IS 'When it was accepted.';


--
-- Name: adoption_report; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.adoption_report (
    run_id text NOT NULL,
    "position" integer NOT NULL,
    what text NOT NULL,
    relation text NOT NULL,
    count_before bigint NOT NULL,
    count_after bigint NOT NULL,
    sample jsonb NOT NULL,
    handling text NOT NULL,
    reported_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT adoption_report_count_after_check CHECK ((count_after >= 0)),
    CONSTRAINT adoption_report_count_before_check CHECK ((count_before >= 0))
);


ALTER TABLE yumai_pipelines.adoption_report OWNER TO yumai_pipeline;

--
-- Name: TABLE adoption_report; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.adoption_report IS 'What was found in an older database when it was adopted. One row per run, case and table; empty where the schema was installed.';


--
-- Name: COLUMN adoption_report.run_id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.run_id IS 'The run that finished the adoption.';


--
-- Name: COLUMN adoption_report."position"; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report."position" IS 'The order in which they were counted.';


--
-- Name: COLUMN adoption_report.what; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.what IS 'The case, such as a session that is unknown.';


--
-- Name: COLUMN adoption_report.relation; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.relation IS 'The table, with the column where one matters.';


--
-- Name: COLUMN adoption_report.count_before; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.count_before IS 'How many there were before the first run.';


--
-- Name: COLUMN adoption_report.count_after; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.count_after IS 'How many there are after the last; rows grow while the application writes.';


--
-- Name: COLUMN adoption_report.sample; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.sample IS 'Keys of a few of them, as they were before.';


--
-- Name: COLUMN adoption_report.handling; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.handling IS 'What was done.';


--
-- Name: COLUMN adoption_report.reported_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.adoption_report.reported_at IS 'When the adoption was finished.';


--
-- Name: alembic_version; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.alembic_version (
    version_num character varying(32) NOT NULL
);


ALTER TABLE yumai_pipelines.alembic_version OWNER TO yumai_pipeline;

--
-- Name: archive_changes; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.archive_changes (
    month date NOT NULL,
    operation text NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    id bigint NOT NULL
);


ALTER TABLE yumai_pipelines.archive_changes OWNER TO yumai_pipeline;

--
-- Name: TABLE archive_changes; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.archive_changes IS 'Changes of detached tables since they were last exported. One row per changed row; only that there is one matters.';


--
-- Name: COLUMN archive_changes.month; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archive_changes.month IS 'First day of the month whose table was changed.';


--
-- Name: COLUMN archive_changes.operation; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archive_changes.operation IS 'INSERT, UPDATE, DELETE or TRUNCATE.';


--
-- Name: COLUMN archive_changes.noted_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archive_changes.noted_at IS 'When.';


--
-- Name: COLUMN archive_changes.id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archive_changes.id IS 'Number of the change.';


--
-- Name: archive_changes_id_seq; Type: SEQUENCE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE yumai_pipelines.archive_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME yumai_pipelines.archive_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: archives; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.archives (
    month date NOT NULL,
    state text NOT NULL,
    partition text NOT NULL,
    uri text,
    row_count bigint,
    first_time timestamp with time zone,
    last_time timestamp with time zone,
    checksum text,
    bytes bigint,
    detached_at timestamp with time zone,
    archived_at timestamp with time zone,
    restored_at timestamp with time zone,
    read_at timestamp with time zone,
    CONSTRAINT archives_check CHECK (((state <> 'archived'::text) OR (ROW(uri, row_count, checksum, bytes) IS NOT NULL))),
    CONSTRAINT archives_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT archives_state_check CHECK ((state = ANY (ARRAY['detaching'::text, 'detached'::text, 'archived'::text, 'restored'::text])))
);


ALTER TABLE yumai_pipelines.archives OWNER TO yumai_pipeline;

--
-- Name: TABLE archives; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.archives IS 'Where the rows of a past month of the conversations are. One row per month that was ever taken out.';


--
-- Name: COLUMN archives.month; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.month IS 'First day of the month, in the business''s time zone.';


--
-- Name: COLUMN archives.state; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.state IS 'detaching: a partition that is being detached; detached: a table in the schema yumai_pipelines; archived: the file alone;
restored: a partition again, and left alone until somebody archives it anew.';


--
-- Name: COLUMN archives.partition; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.partition IS 'Name that the month''s partition had, as schema.name.';


--
-- Name: COLUMN archives.uri; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.uri IS 'URL of the Parquet file; its manifest stands beside it.';


--
-- Name: COLUMN archives.row_count; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.row_count IS 'Rows in the file.';


--
-- Name: COLUMN archives.first_time; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.first_time IS 'Earliest conversation_time in the file; NULL for a file without rows.';


--
-- Name: COLUMN archives.last_time; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.last_time IS 'Latest conversation_time in the file.';


--
-- Name: COLUMN archives.checksum; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.checksum IS 'Of the rows in the file, as PostgreSQL computed it of the table.';


--
-- Name: COLUMN archives.bytes; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.bytes IS 'Size of the file.';


--
-- Name: COLUMN archives.detached_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.detached_at IS 'When the partition was last taken out.';


--
-- Name: COLUMN archives.archived_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.archived_at IS 'When the file was last found to hold what the table held.';


--
-- Name: COLUMN archives.restored_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.restored_at IS 'When the month last came back.';


--
-- Name: COLUMN archives.read_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.archives.read_at IS 'When the whole file was last read, and found to hold what was recorded; NULL before the first time.';


--
-- Name: compatibility; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.compatibility (
    is_only boolean DEFAULT true NOT NULL,
    oldest_code text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT compatibility_is_only_check CHECK (is_only)
);


ALTER TABLE yumai_pipelines.compatibility OWNER TO yumai_pipeline;

--
-- Name: TABLE compatibility; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.compatibility IS 'Which versions of yumai_pipelines may work with the database. One row.';


--
-- Name: COLUMN compatibility.is_only; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.compatibility.is_only IS 'True: there is only one row.';


--
-- Name: COLUMN compatibility.oldest_code; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.compatibility.oldest_code IS 'A version must know this revision: the last one that ran which was to run after the deploy of its version.';


--
-- Name: COLUMN compatibility.since; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.compatibility.since IS 'When that revision ran.';


--
-- Name: counted_feedback; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.counted_feedback (
    feedback_id bigint NOT NULL,
    month date NOT NULL
);


ALTER TABLE yumai_pipelines.counted_feedback OWNER TO yumai_pipeline;

--
-- Name: TABLE counted_feedback; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.counted_feedback IS 'Feedback that is still there while retention has deleted its recommendation: it counted in that month, so in no other. One row per feedback.';


--
-- Name: COLUMN counted_feedback.feedback_id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.counted_feedback.feedback_id IS 'The feedback.';


--
-- Name: COLUMN counted_feedback.month; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.counted_feedback.month IS 'First day of the month in which it was counted.';


--
-- Name: erasures; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.erasures (
    id bigint NOT NULL,
    reason text NOT NULL,
    counts jsonb NOT NULL,
    run_id text NOT NULL,
    erased_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT erasures_reason_check CHECK ((reason ~ '\S'::text))
);


ALTER TABLE yumai_pipelines.erasures OWNER TO yumai_pipeline;

--
-- Name: TABLE erasures; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.erasures IS 'That a person was forgotten, and nothing by which to tell who. One row per erasure.';


--
-- Name: COLUMN erasures.reason; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.erasures.reason IS 'Why, in words that name nobody.';


--
-- Name: COLUMN erasures.counts; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.erasures.counts IS 'Rows that were deleted, or stay without the person, by table.';


--
-- Name: COLUMN erasures.run_id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.erasures.run_id IS 'The run that did it.';


--
-- Name: COLUMN erasures.erased_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.erasures.erased_at IS 'When.';


--
-- Name: erasures_id_seq; Type: SEQUENCE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE yumai_pipelines.erasures ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME yumai_pipelines.erasures_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: quarantine; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.quarantine (
    id bigint NOT NULL,
    source_table text NOT NULL,
    source_key jsonb NOT NULL,
    source_row jsonb NOT NULL,
    still_there boolean NOT NULL,
    why text NOT NULL,
    run_id text NOT NULL,
    quarantined_at timestamp with time zone DEFAULT now() NOT NULL
);


ALTER TABLE yumai_pipelines.quarantine OWNER TO yumai_pipeline;

--
-- Name: TABLE quarantine; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.quarantine IS 'Rows that referred to something that is gone, kept whole before they were repaired. One row per row and repair.';


--
-- Name: COLUMN quarantine.source_table; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.source_table IS 'The table that the row comes from, as schema.name.';


--
-- Name: COLUMN quarantine.source_key; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.source_key IS 'Its primary key.';


--
-- Name: COLUMN quarantine.source_row; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.source_row IS 'The whole row as it was; jsonb_populate_record makes it one again. Personal data.';


--
-- Name: COLUMN quarantine.still_there; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.still_there IS 'False for a row that was taken out of its table; true for one that stays there, with the reference emptied.';


--
-- Name: COLUMN quarantine.why; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.why IS 'Which reference led nowhere.';


--
-- Name: COLUMN quarantine.run_id; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.run_id IS 'The run that did it.';


--
-- Name: COLUMN quarantine.quarantined_at; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.quarantine.quarantined_at IS 'When.';


--
-- Name: quarantine_id_seq; Type: SEQUENCE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE yumai_pipelines.quarantine ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME yumai_pipelines.quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: source_changes_id_seq; Type: SEQUENCE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE yumai_pipelines.source_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME yumai_pipelines.source_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: view_refreshes; Type: TABLE; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE TABLE yumai_pipelines.view_refreshes (
    view_name text NOT NULL,
    as_of timestamp with time zone NOT NULL,
    row_count bigint NOT NULL
);


ALTER TABLE yumai_pipelines.view_refreshes OWNER TO yumai_pipeline;

--
-- Name: TABLE view_refreshes; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON TABLE yumai_pipelines.view_refreshes IS 'As of when a materialized view was last refreshed. One row per view.';


--
-- Name: COLUMN view_refreshes.as_of; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.view_refreshes.as_of IS 'Time of the transaction that refreshed it: its now().';


--
-- Name: COLUMN view_refreshes.row_count; Type: COMMENT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

COMMENT ON COLUMN yumai_pipelines.view_refreshes.row_count IS 'Rows that the view had then.';


--
-- Name: conversations_default; Type: TABLE ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.conversations ATTACH PARTITION chatbot.conversations_default DEFAULT;


--
-- Name: recommendations_log recommendations_log_pkey; Type: CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.recommendations_log
    ADD CONSTRAINT recommendations_log_pkey PRIMARY KEY (id);


--
-- Name: user_feedback user_feedback_pkey; Type: CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.user_feedback
    ADD CONSTRAINT user_feedback_pkey PRIMARY KEY (id);


--
-- Name: conversations conversations_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id, conversation_time);


--
-- Name: conversations_default conversations_default_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.conversations_default
    ADD CONSTRAINT conversations_default_pkey PRIMARY KEY (id, conversation_time);


--
-- Name: coupons coupons_coupon_code_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.coupons
    ADD CONSTRAINT coupons_coupon_code_key UNIQUE (coupon_code);


--
-- Name: coupons coupons_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.coupons
    ADD CONSTRAINT coupons_pkey PRIMARY KEY (id);


--
-- Name: foodcard_users foodcard_users_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.foodcard_users
    ADD CONSTRAINT foodcard_users_pkey PRIMARY KEY (id);


--
-- Name: foodcard_users foodcard_users_user_id_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.foodcard_users
    ADD CONSTRAINT foodcard_users_user_id_key UNIQUE (user_id);


--
-- Name: menus menus_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.menus
    ADD CONSTRAINT menus_pkey PRIMARY KEY (id);


--
-- Name: menus menus_shop_id_menu_name_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.menus
    ADD CONSTRAINT menus_shop_id_menu_name_key UNIQUE (shop_id, menu_name);


--
-- Name: orders_coupons orders_coupons_order_id_coupon_id_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders_coupons
    ADD CONSTRAINT orders_coupons_order_id_coupon_id_key UNIQUE (order_id, coupon_id);


--
-- Name: orders_coupons orders_coupons_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders_coupons
    ADD CONSTRAINT orders_coupons_pkey PRIMARY KEY (id);


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: reviews reviews_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.reviews
    ADD CONSTRAINT reviews_pkey PRIMARY KEY (id);


--
-- Name: reviews reviews_user_id_order_id_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.reviews
    ADD CONSTRAINT reviews_user_id_order_id_key UNIQUE (user_id, order_id);


--
-- Name: session_master session_master_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.session_master
    ADD CONSTRAINT session_master_pkey PRIMARY KEY (session_id);


--
-- Name: shops shops_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.shops
    ADD CONSTRAINT shops_pkey PRIMARY KEY (id);


--
-- Name: user_profiles user_profiles_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.user_profiles
    ADD CONSTRAINT user_profiles_pkey PRIMARY KEY (id);


--
-- Name: user_profiles user_profiles_user_id_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.user_profiles
    ADD CONSTRAINT user_profiles_user_id_key UNIQUE (user_id);


--
-- Name: user_wallet user_wallet_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.user_wallet
    ADD CONSTRAINT user_wallet_pkey PRIMARY KEY (id);


--
-- Name: users users_email_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.users
    ADD CONSTRAINT users_email_key UNIQUE (email);


--
-- Name: users users_external_user_id_key; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.users
    ADD CONSTRAINT users_external_user_id_key UNIQUE (external_user_id);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: feedback_summary feedback_summary_pkey; Type: CONSTRAINT; Schema: extracts; Owner: yumai_pipeline
--

ALTER TABLE ONLY extracts.feedback_summary
    ADD CONSTRAINT feedback_summary_pkey PRIMARY KEY (month, feedback_type, target_type);


--
-- Name: ledger ledger_pkey; Type: CONSTRAINT; Schema: extracts; Owner: yumai_pipeline
--

ALTER TABLE ONLY extracts.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY ("extract", month);


--
-- Name: recommendation_funnel recommendation_funnel_pkey; Type: CONSTRAINT; Schema: extracts; Owner: yumai_pipeline
--

ALTER TABLE ONLY extracts.recommendation_funnel
    ADD CONSTRAINT recommendation_funnel_pkey PRIMARY KEY (month, recommendation_method, shop_category);


--
-- Name: recommendation_outcomes recommendation_outcomes_pkey; Type: CONSTRAINT; Schema: extracts; Owner: yumai_pipeline
--

ALTER TABLE ONLY extracts.recommendation_outcomes
    ADD CONSTRAINT recommendation_outcomes_pkey PRIMARY KEY (month, recommendation_id);


--
-- Name: score_calibration score_calibration_pkey; Type: CONSTRAINT; Schema: extracts; Owner: yumai_pipeline
--

ALTER TABLE ONLY extracts.score_calibration
    ADD CONSTRAINT score_calibration_pkey PRIMARY KEY (month, recommendation_method, score, decile);


--
-- Name: shop_performance shop_performance_pkey; Type: CONSTRAINT; Schema: extracts; Owner: yumai_pipeline
--

ALTER TABLE ONLY extracts.shop_performance
    ADD CONSTRAINT shop_performance_pkey PRIMARY KEY (month, shop_id);


--
-- Name: nlu_features nlu_features_pkey; Type: CONSTRAINT; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ONLY ml_features.nlu_features
    ADD CONSTRAINT nlu_features_pkey PRIMARY KEY (id);


--
-- Name: user_interactions user_interactions_pkey; Type: CONSTRAINT; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ONLY ml_features.user_interactions
    ADD CONSTRAINT user_interactions_pkey PRIMARY KEY (id);


--
-- Name: accepted_differences accepted_differences_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.accepted_differences
    ADD CONSTRAINT accepted_differences_pkey PRIMARY KEY (object);


--
-- Name: adoption_report adoption_report_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.adoption_report
    ADD CONSTRAINT adoption_report_pkey PRIMARY KEY (run_id, "position");


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: archive_changes archive_changes_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.archive_changes
    ADD CONSTRAINT archive_changes_pkey PRIMARY KEY (id);


--
-- Name: archives archives_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.archives
    ADD CONSTRAINT archives_pkey PRIMARY KEY (month);


--
-- Name: compatibility compatibility_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.compatibility
    ADD CONSTRAINT compatibility_pkey PRIMARY KEY (is_only);


--
-- Name: counted_feedback counted_feedback_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.counted_feedback
    ADD CONSTRAINT counted_feedback_pkey PRIMARY KEY (feedback_id);


--
-- Name: erasures erasures_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (id);


--
-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (id);


--
-- Name: source_changes source_changes_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.source_changes
    ADD CONSTRAINT source_changes_pkey PRIMARY KEY (id);


--
-- Name: view_refreshes view_refreshes_pkey; Type: CONSTRAINT; Schema: yumai_pipelines; Owner: yumai_pipeline
--

ALTER TABLE ONLY yumai_pipelines.view_refreshes
    ADD CONSTRAINT view_refreshes_pkey PRIMARY KEY (view_name);


--
-- Name: idx_recommendations_log_session; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendations_log_session ON analytics.recommendations_log USING btree (session_id);


--
-- Name: idx_recommendations_log_shop; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendations_log_shop ON analytics.recommendations_log USING btree (shop_id);


--
-- Name: idx_recommendations_log_time; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendations_log_time ON analytics.recommendations_log USING btree (time_stamp);


--
-- Name: idx_recommendations_log_user; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendations_log_user ON analytics.recommendations_log USING btree (user_id);


--
-- Name: idx_user_feedback_recommendation; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_user_feedback_recommendation ON analytics.user_feedback USING btree (related_recommendation_id);


--
-- Name: idx_user_feedback_session; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_user_feedback_session ON analytics.user_feedback USING btree (session_id);


--
-- Name: idx_user_feedback_time; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_user_feedback_time ON analytics.user_feedback USING btree (time_stamp);


--
-- Name: idx_user_feedback_user; Type: INDEX; Schema: analytics; Owner: yumai_pipeline
--

CREATE INDEX idx_user_feedback_user ON analytics.user_feedback USING btree (user_id);


--
-- Name: idx_conversations_time; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_conversations_time ON ONLY chatbot.conversations USING btree (conversation_time);


--
-- Name: conversations_default_conversation_time_idx; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX conversations_default_conversation_time_idx ON chatbot.conversations_default USING btree (conversation_time);


--
-- Name: idx_conversations_intent; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_conversations_intent ON ONLY chatbot.conversations USING btree (extracted_intent);


--
-- Name: conversations_default_extracted_intent_idx; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX conversations_default_extracted_intent_idx ON chatbot.conversations_default USING btree (extracted_intent);


--
-- Name: idx_conversations_selected_shop; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_conversations_selected_shop ON ONLY chatbot.conversations USING btree (selected_shop_id) WHERE (selected_shop_id IS NOT NULL);


--
-- Name: conversations_default_selected_shop_id_idx; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX conversations_default_selected_shop_id_idx ON chatbot.conversations_default USING btree (selected_shop_id) WHERE (selected_shop_id IS NOT NULL);


--
-- Name: idx_conversations_session; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_conversations_session ON ONLY chatbot.conversations USING btree (session_id);


--
-- Name: conversations_default_session_id_idx; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX conversations_default_session_id_idx ON chatbot.conversations_default USING btree (session_id);


--
-- Name: idx_conversations_user_time; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_conversations_user_time ON ONLY chatbot.conversations USING btree (user_id, conversation_time DESC);


--
-- Name: conversations_default_user_id_conversation_time_idx; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX conversations_default_user_id_conversation_time_idx ON chatbot.conversations_default USING btree (user_id, conversation_time DESC);


--
-- Name: idx_coupons_shop; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_coupons_shop ON chatbot.coupons USING btree (shop_id);


--
-- Name: idx_orders_coupons_coupon; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_orders_coupons_coupon ON chatbot.orders_coupons USING btree (coupon_id);


--
-- Name: idx_orders_menu; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_orders_menu ON chatbot.orders USING btree (menu_id);


--
-- Name: idx_orders_shop; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_orders_shop ON chatbot.orders USING btree (shop_id);


--
-- Name: idx_orders_user; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_orders_user ON chatbot.orders USING btree (user_id);


--
-- Name: idx_recent_conversations_session; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_recent_conversations_session ON chatbot.recent_conversations USING btree (session_id);


--
-- Name: idx_recent_conversations_user_time; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_recent_conversations_user_time ON chatbot.recent_conversations USING btree (user_id, conversation_time DESC);


--
-- Name: idx_reviews_order; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_reviews_order ON chatbot.reviews USING btree (order_id);


--
-- Name: idx_reviews_shop; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_reviews_shop ON chatbot.reviews USING btree (shop_id);


--
-- Name: idx_session_master_active; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_session_master_active ON chatbot.session_master USING btree (is_active) WHERE (is_active = true);


--
-- Name: idx_session_master_end; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_session_master_end ON chatbot.session_master USING btree (session_end) WHERE (session_end IS NOT NULL);


--
-- Name: idx_session_master_open_since; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_session_master_open_since ON chatbot.session_master USING btree (session_start) WHERE (is_active = true);


--
-- Name: idx_session_master_start; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_session_master_start ON chatbot.session_master USING btree (session_start DESC);


--
-- Name: idx_session_master_user; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_session_master_user ON chatbot.session_master USING btree (user_id);


--
-- Name: idx_shops_category; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_shops_category ON chatbot.shops USING btree (category);


--
-- Name: idx_shops_name_trgm; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_shops_name_trgm ON chatbot.shops USING gin (shop_name public.gin_trgm_ops);


--
-- Name: idx_user_profiles_companion_patterns; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_user_profiles_companion_patterns ON chatbot.user_profiles USING gin (companion_patterns);


--
-- Name: idx_user_profiles_favorite_shops; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_user_profiles_favorite_shops ON chatbot.user_profiles USING gin (favorite_shops);


--
-- Name: idx_user_profiles_location_preferences; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_user_profiles_location_preferences ON chatbot.user_profiles USING gin (location_preferences);


--
-- Name: idx_user_profiles_preferred_categories; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_user_profiles_preferred_categories ON chatbot.user_profiles USING gin (preferred_categories);


--
-- Name: idx_user_wallet_coupon; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_user_wallet_coupon ON chatbot.user_wallet USING btree (coupon_id);


--
-- Name: idx_user_wallet_user; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE INDEX idx_user_wallet_user ON chatbot.user_wallet USING btree (user_id);


--
-- Name: recent_conversations_key; Type: INDEX; Schema: chatbot; Owner: yumai_pipeline
--

CREATE UNIQUE INDEX recent_conversations_key ON chatbot.recent_conversations USING btree (id, conversation_time);


--
-- Name: idx_recommendation_outcomes_shop; Type: INDEX; Schema: extracts; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendation_outcomes_shop ON ONLY extracts.recommendation_outcomes USING btree (shop_id, month);


--
-- Name: idx_recommendation_outcomes_time; Type: INDEX; Schema: extracts; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendation_outcomes_time ON ONLY extracts.recommendation_outcomes USING brin (recommended_at);


--
-- Name: idx_recommendation_outcomes_user; Type: INDEX; Schema: extracts; Owner: yumai_pipeline
--

CREATE INDEX idx_recommendation_outcomes_user ON ONLY extracts.recommendation_outcomes USING btree (user_key);


--
-- Name: idx_shop_performance_shop; Type: INDEX; Schema: extracts; Owner: yumai_pipeline
--

CREATE INDEX idx_shop_performance_shop ON extracts.shop_performance USING btree (shop_id, month);


--
-- Name: idx_nlu_features_user; Type: INDEX; Schema: ml_features; Owner: yumai_pipeline
--

CREATE INDEX idx_nlu_features_user ON ml_features.nlu_features USING btree (user_id);


--
-- Name: idx_user_interactions_session; Type: INDEX; Schema: ml_features; Owner: yumai_pipeline
--

CREATE INDEX idx_user_interactions_session ON ml_features.user_interactions USING btree (session_id);


--
-- Name: idx_user_interactions_time; Type: INDEX; Schema: ml_features; Owner: yumai_pipeline
--

CREATE INDEX idx_user_interactions_time ON ml_features.user_interactions USING btree (time_stamp);


--
-- Name: idx_user_interactions_user; Type: INDEX; Schema: ml_features; Owner: yumai_pipeline
--

CREATE INDEX idx_user_interactions_user ON ml_features.user_interactions USING btree (user_id);


--
-- Name: idx_quarantine_session; Type: INDEX; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE INDEX idx_quarantine_session ON yumai_pipelines.quarantine USING btree (((source_row ->> 'session_id'::text)));


--
-- Name: idx_quarantine_source; Type: INDEX; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE INDEX idx_quarantine_source ON yumai_pipelines.quarantine USING btree (source_table, source_key);


--
-- Name: idx_quarantine_user; Type: INDEX; Schema: yumai_pipelines; Owner: yumai_pipeline
--

CREATE INDEX idx_quarantine_user ON yumai_pipelines.quarantine USING btree (((source_row ->> 'user_id'::text)));


--
-- Name: conversations_default_conversation_time_idx; Type: INDEX ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER INDEX chatbot.idx_conversations_time ATTACH PARTITION chatbot.conversations_default_conversation_time_idx;


--
-- Name: conversations_default_extracted_intent_idx; Type: INDEX ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER INDEX chatbot.idx_conversations_intent ATTACH PARTITION chatbot.conversations_default_extracted_intent_idx;


--
-- Name: conversations_default_pkey; Type: INDEX ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER INDEX chatbot.conversations_pkey ATTACH PARTITION chatbot.conversations_default_pkey;


--
-- Name: conversations_default_selected_shop_id_idx; Type: INDEX ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER INDEX chatbot.idx_conversations_selected_shop ATTACH PARTITION chatbot.conversations_default_selected_shop_id_idx;


--
-- Name: conversations_default_session_id_idx; Type: INDEX ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER INDEX chatbot.idx_conversations_session ATTACH PARTITION chatbot.conversations_default_session_id_idx;


--
-- Name: conversations_default_user_id_conversation_time_idx; Type: INDEX ATTACH; Schema: chatbot; Owner: yumai_pipeline
--

ALTER INDEX chatbot.idx_conversations_user_time ATTACH PARTITION chatbot.conversations_default_user_id_conversation_time_idx;


--
-- Name: recommendations_log note_deletes; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_deletes AFTER DELETE ON analytics.recommendations_log REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_recommendation_changes();

ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_deletes;


--
-- Name: user_feedback note_deletes; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_deletes AFTER DELETE ON analytics.user_feedback REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_feedback_changes();

ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_deletes;


--
-- Name: recommendations_log note_inserts; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_inserts AFTER INSERT ON analytics.recommendations_log REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_recommendation_changes();

ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_inserts;


--
-- Name: user_feedback note_inserts; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_inserts AFTER INSERT ON analytics.user_feedback REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_feedback_changes();

ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_inserts;


--
-- Name: recommendations_log note_truncation; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_truncation AFTER TRUNCATE ON analytics.recommendations_log FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_truncation();

ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_truncation;


--
-- Name: user_feedback note_truncation; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_truncation AFTER TRUNCATE ON analytics.user_feedback FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_truncation();

ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_truncation;


--
-- Name: recommendations_log note_updates; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_updates AFTER UPDATE ON analytics.recommendations_log REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_recommendation_changes();

ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_updates;


--
-- Name: user_feedback note_updates; Type: TRIGGER; Schema: analytics; Owner: yumai_pipeline
--

CREATE TRIGGER note_updates AFTER UPDATE ON analytics.user_feedback REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_feedback_changes();

ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_updates;


--
-- Name: shops note_arrival; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER note_arrival AFTER INSERT OR DELETE ON chatbot.shops FOR EACH ROW EXECUTE FUNCTION yumai_pipelines.note_shop_change();

ALTER TABLE chatbot.shops ENABLE ALWAYS TRIGGER note_arrival;


--
-- Name: session_master note_change; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER note_change AFTER UPDATE OF session_type, session_start ON chatbot.session_master FOR EACH ROW WHEN ((((old.session_type)::text IS DISTINCT FROM (new.session_type)::text) OR (old.session_start IS DISTINCT FROM new.session_start))) EXECUTE FUNCTION yumai_pipelines.note_session_change();

ALTER TABLE chatbot.session_master ENABLE ALWAYS TRIGGER note_change;


--
-- Name: shops note_change; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER note_change AFTER UPDATE OF shop_name, category, is_food_card_shop, is_good_influence_shop ON chatbot.shops FOR EACH ROW WHEN ((((((old.shop_name)::text IS DISTINCT FROM (new.shop_name)::text) OR ((old.category)::text IS DISTINCT FROM (new.category)::text)) OR (old.is_food_card_shop IS DISTINCT FROM new.is_food_card_shop)) OR (old.is_good_influence_shop IS DISTINCT FROM new.is_good_influence_shop))) EXECUTE FUNCTION yumai_pipelines.note_shop_change();

ALTER TABLE chatbot.shops ENABLE ALWAYS TRIGGER note_change;


--
-- Name: shops note_truncation; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER note_truncation AFTER TRUNCATE ON chatbot.shops FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_truncation();

ALTER TABLE chatbot.shops ENABLE ALWAYS TRIGGER note_truncation;


--
-- Name: foodcard_users set_updated_at; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.foodcard_users FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();


--
-- Name: menus set_updated_at; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.menus FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();


--
-- Name: session_master set_updated_at; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.session_master FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();


--
-- Name: shops set_updated_at; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.shops FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();


--
-- Name: user_profiles set_updated_at; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.user_profiles FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();


--
-- Name: users set_updated_at; Type: TRIGGER; Schema: chatbot; Owner: yumai_pipeline
--

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.users FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();


--
-- Name: recommendations_log recommendations_log_session_id_fkey; Type: FK CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.recommendations_log
    ADD CONSTRAINT recommendations_log_session_id_fkey FOREIGN KEY (session_id) REFERENCES chatbot.session_master(session_id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT recommendations_log_session_id_fkey ON recommendations_log; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT recommendations_log_session_id_fkey ON analytics.recommendations_log IS 'Cascades: what was recommended goes with its session.';


--
-- Name: recommendations_log recommendations_log_shop_id_fkey; Type: FK CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.recommendations_log
    ADD CONSTRAINT recommendations_log_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES chatbot.shops(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT recommendations_log_shop_id_fkey ON recommendations_log; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT recommendations_log_shop_id_fkey ON analytics.recommendations_log IS 'Set to NULL: the recommendation was made even if the shop is gone.';


--
-- Name: recommendations_log recommendations_log_user_id_fkey; Type: FK CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.recommendations_log
    ADD CONSTRAINT recommendations_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT recommendations_log_user_id_fkey ON recommendations_log; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT recommendations_log_user_id_fkey ON analytics.recommendations_log IS 'Cascades: what was recommended to somebody is personal data of theirs. The older system had no foreign key here.';


--
-- Name: user_feedback user_feedback_related_recommendation_id_fkey; Type: FK CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.user_feedback
    ADD CONSTRAINT user_feedback_related_recommendation_id_fkey FOREIGN KEY (related_recommendation_id) REFERENCES analytics.recommendations_log(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT user_feedback_related_recommendation_id_fkey ON user_feedback; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_feedback_related_recommendation_id_fkey ON analytics.user_feedback IS 'Set to NULL: feedback from another session stays when the session of the recommendation is deleted. The older system refused that.';


--
-- Name: user_feedback user_feedback_session_id_fkey; Type: FK CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.user_feedback
    ADD CONSTRAINT user_feedback_session_id_fkey FOREIGN KEY (session_id) REFERENCES chatbot.session_master(session_id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_feedback_session_id_fkey ON user_feedback; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_feedback_session_id_fkey ON analytics.user_feedback IS 'Cascades: what was said goes with its session.';


--
-- Name: user_feedback user_feedback_user_id_fkey; Type: FK CONSTRAINT; Schema: analytics; Owner: yumai_pipeline
--

ALTER TABLE ONLY analytics.user_feedback
    ADD CONSTRAINT user_feedback_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_feedback_user_id_fkey ON user_feedback; Type: COMMENT; Schema: analytics; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_feedback_user_id_fkey ON analytics.user_feedback IS 'Cascades: an opinion is personal data of its user. The older system refused to delete such a user.';


--
-- Name: conversations conversations_selected_shop_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.conversations
    ADD CONSTRAINT conversations_selected_shop_id_fkey FOREIGN KEY (selected_shop_id) REFERENCES chatbot.shops(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT conversations_selected_shop_id_fkey ON conversations; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT conversations_selected_shop_id_fkey ON chatbot.conversations IS 'Set to NULL: the turn was taken even if the shop is gone.';


--
-- Name: conversations conversations_session_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.conversations
    ADD CONSTRAINT conversations_session_id_fkey FOREIGN KEY (session_id) REFERENCES chatbot.session_master(session_id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT conversations_session_id_fkey ON conversations; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT conversations_session_id_fkey ON chatbot.conversations IS 'Cascades: what was said goes with its session.';


--
-- Name: conversations conversations_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE chatbot.conversations
    ADD CONSTRAINT conversations_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT conversations_user_id_fkey ON conversations; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT conversations_user_id_fkey ON chatbot.conversations IS 'Cascades: what was said is personal data of its user, whatever session it is in.';


--
-- Name: coupons coupons_shop_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.coupons
    ADD CONSTRAINT coupons_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES chatbot.shops(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT coupons_shop_id_fkey ON coupons; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT coupons_shop_id_fkey ON chatbot.coupons IS 'Cascades: a coupon of a shop is worth nothing without it. Refused once it was used: orders_coupons holds on to it.';


--
-- Name: foodcard_users foodcard_users_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.foodcard_users
    ADD CONSTRAINT foodcard_users_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT foodcard_users_user_id_fkey ON foodcard_users; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT foodcard_users_user_id_fkey ON chatbot.foodcard_users IS 'Cascades: the card is personal data of its user.';


--
-- Name: menus menus_shop_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.menus
    ADD CONSTRAINT menus_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES chatbot.shops(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT menus_shop_id_fkey ON menus; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT menus_shop_id_fkey ON chatbot.menus IS 'Cascades: a dish is nothing without its shop.';


--
-- Name: orders_coupons orders_coupons_coupon_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders_coupons
    ADD CONSTRAINT orders_coupons_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES chatbot.coupons(id) ON DELETE RESTRICT;


--
-- Name: CONSTRAINT orders_coupons_coupon_id_fkey ON orders_coupons; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT orders_coupons_coupon_id_fkey ON chatbot.orders_coupons IS 'Restricts: a coupon that was used explains what an order cost.';


--
-- Name: orders_coupons orders_coupons_order_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders_coupons
    ADD CONSTRAINT orders_coupons_order_id_fkey FOREIGN KEY (order_id) REFERENCES chatbot.orders(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT orders_coupons_order_id_fkey ON orders_coupons; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT orders_coupons_order_id_fkey ON chatbot.orders_coupons IS 'Cascades: part of the order.';


--
-- Name: orders orders_menu_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders
    ADD CONSTRAINT orders_menu_id_fkey FOREIGN KEY (menu_id) REFERENCES chatbot.menus(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT orders_menu_id_fkey ON orders; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT orders_menu_id_fkey ON chatbot.orders IS 'Set to NULL: dishes go off the menu; the order keeps its price.';


--
-- Name: orders orders_shop_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders
    ADD CONSTRAINT orders_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES chatbot.shops(id) ON DELETE RESTRICT;


--
-- Name: CONSTRAINT orders_shop_id_fkey ON orders; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT orders_shop_id_fkey ON chatbot.orders IS 'Restricts: a shop that has sold something is closed, not deleted.';


--
-- Name: orders orders_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.orders
    ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT orders_user_id_fkey ON orders; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT orders_user_id_fkey ON chatbot.orders IS 'Set to NULL: sales stay in the books when a user is deleted, and no longer say whose they were.';


--
-- Name: reviews reviews_order_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.reviews
    ADD CONSTRAINT reviews_order_id_fkey FOREIGN KEY (order_id) REFERENCES chatbot.orders(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT reviews_order_id_fkey ON reviews; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT reviews_order_id_fkey ON chatbot.reviews IS 'Set to NULL: the opinion outlives the order.';


--
-- Name: reviews reviews_shop_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.reviews
    ADD CONSTRAINT reviews_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES chatbot.shops(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT reviews_shop_id_fkey ON reviews; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT reviews_shop_id_fkey ON chatbot.reviews IS 'Cascades: a review says nothing without its shop.';


--
-- Name: reviews reviews_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.reviews
    ADD CONSTRAINT reviews_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE SET NULL;


--
-- Name: CONSTRAINT reviews_user_id_fkey ON reviews; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT reviews_user_id_fkey ON chatbot.reviews IS 'Set to NULL: what a shop was rated stays when a user is deleted, and no longer says by whom.';


--
-- Name: session_master session_master_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.session_master
    ADD CONSTRAINT session_master_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT session_master_user_id_fkey ON session_master; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT session_master_user_id_fkey ON chatbot.session_master IS 'Cascades: deleting a user deletes their sessions, and with them all that was said.';


--
-- Name: user_profiles user_profiles_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.user_profiles
    ADD CONSTRAINT user_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_profiles_user_id_fkey ON user_profiles; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_profiles_user_id_fkey ON chatbot.user_profiles IS 'Cascades: the profile is personal data of its user.';


--
-- Name: user_wallet user_wallet_coupon_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.user_wallet
    ADD CONSTRAINT user_wallet_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES chatbot.coupons(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_wallet_coupon_id_fkey ON user_wallet; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_wallet_coupon_id_fkey ON chatbot.user_wallet IS 'Cascades: a withdrawn coupon leaves wallets.';


--
-- Name: user_wallet user_wallet_user_id_fkey; Type: FK CONSTRAINT; Schema: chatbot; Owner: yumai_pipeline
--

ALTER TABLE ONLY chatbot.user_wallet
    ADD CONSTRAINT user_wallet_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_wallet_user_id_fkey ON user_wallet; Type: COMMENT; Schema: chatbot; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_wallet_user_id_fkey ON chatbot.user_wallet IS 'Cascades: a wallet goes with its user.';


--
-- Name: nlu_features nlu_features_user_id_fkey; Type: FK CONSTRAINT; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ONLY ml_features.nlu_features
    ADD CONSTRAINT nlu_features_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT nlu_features_user_id_fkey ON nlu_features; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT nlu_features_user_id_fkey ON ml_features.nlu_features IS 'Cascades: derived from what the user said.';


--
-- Name: user_interactions user_interactions_session_id_fkey; Type: FK CONSTRAINT; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ONLY ml_features.user_interactions
    ADD CONSTRAINT user_interactions_session_id_fkey FOREIGN KEY (session_id) REFERENCES chatbot.session_master(session_id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_interactions_session_id_fkey ON user_interactions; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_interactions_session_id_fkey ON ml_features.user_interactions IS 'Cascades: what was done goes with its session.';


--
-- Name: user_interactions user_interactions_user_id_fkey; Type: FK CONSTRAINT; Schema: ml_features; Owner: yumai_pipeline
--

ALTER TABLE ONLY ml_features.user_interactions
    ADD CONSTRAINT user_interactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES chatbot.users(id) ON DELETE CASCADE;


--
-- Name: CONSTRAINT user_interactions_user_id_fkey ON user_interactions; Type: COMMENT; Schema: ml_features; Owner: yumai_pipeline
--

COMMENT ON CONSTRAINT user_interactions_user_id_fkey ON ml_features.user_interactions IS 'Cascades: what was done is personal data of its user.';


--
-- Name: SCHEMA analytics; Type: ACL; Schema: -; Owner: yumai_pipeline
--

GRANT USAGE ON SCHEMA analytics TO yumai_app;


--
-- Name: SCHEMA chatbot; Type: ACL; Schema: -; Owner: yumai_pipeline
--

GRANT USAGE ON SCHEMA chatbot TO yumai_app;


--
-- Name: SCHEMA extracts; Type: ACL; Schema: -; Owner: yumai_pipeline
--

GRANT USAGE ON SCHEMA extracts TO yumai_analyst;


--
-- Name: SCHEMA ml_features; Type: ACL; Schema: -; Owner: yumai_pipeline
--

GRANT USAGE ON SCHEMA ml_features TO yumai_app;


--
-- Name: SCHEMA yumai_pipelines; Type: ACL; Schema: -; Owner: yumai_pipeline
--

GRANT USAGE ON SCHEMA yumai_pipelines TO yumai_app;


--
-- Name: FUNCTION auto_delete_old_conversations(p_months integer, p_as_of timestamp with time zone); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.auto_delete_old_conversations(p_months integer, p_as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.auto_delete_old_conversations(p_months integer, p_as_of timestamp with time zone) TO yumai_app;


--
-- Name: FUNCTION clean_inactive_sessions(p_inactive_for interval, p_as_of timestamp with time zone); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.clean_inactive_sessions(p_inactive_for interval, p_as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.clean_inactive_sessions(p_inactive_for interval, p_as_of timestamp with time zone) TO yumai_app;


--
-- Name: FUNCTION clean_invalid_shop_references(); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.clean_invalid_shop_references() FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.clean_invalid_shop_references() TO yumai_app;


--
-- Name: FUNCTION delete_old_sessions(p_days integer, p_limit integer, p_as_of timestamp with time zone); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.delete_old_sessions(p_days integer, p_limit integer, p_as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.delete_old_sessions(p_days integer, p_limit integer, p_as_of timestamp with time zone) TO yumai_app;


--
-- Name: FUNCTION end_session(p_session_id uuid); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.end_session(p_session_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.end_session(p_session_id uuid) TO yumai_app;


--
-- Name: FUNCTION get_shop_hours(p_shop_id bigint, p_day_name text); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.get_shop_hours(p_shop_id bigint, p_day_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.get_shop_hours(p_shop_id bigint, p_day_name text) TO yumai_app;


--
-- Name: FUNCTION set_updated_at(); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.set_updated_at() FROM PUBLIC;


--
-- Name: FUNCTION start_session(p_user_id bigint, p_session_type character varying, p_metadata jsonb, p_ip_address inet, p_user_agent text); Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION chatbot.start_session(p_user_id bigint, p_session_type character varying, p_metadata jsonb, p_ip_address inet, p_user_agent text) FROM PUBLIC;
GRANT ALL ON FUNCTION chatbot.start_session(p_user_id bigint, p_session_type character varying, p_metadata jsonb, p_ip_address inet, p_user_agent text) TO yumai_app;


--
-- Name: FUNCTION is_readable(p_selection json); Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION extracts.is_readable(p_selection json) FROM PUBLIC;


--
-- Name: FUNCTION rating_of(p_feedback_content jsonb); Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION extracts.rating_of(p_feedback_content jsonb) FROM PUBLIC;


--
-- Name: FUNCTION business_timezone(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.business_timezone() FROM PUBLIC;
GRANT ALL ON FUNCTION yumai_pipelines.business_timezone() TO yumai_app;


--
-- Name: FUNCTION configure_database(p_timezone text); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.configure_database(p_timezone text) FROM PUBLIC;


--
-- Name: TABLE user_feedback; Type: ACL; Schema: analytics; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE analytics.user_feedback TO yumai_app;


--
-- Name: FUNCTION counting_time(p_feedback analytics.user_feedback); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.counting_time(p_feedback analytics.user_feedback) FROM PUBLIC;


--
-- Name: FUNCTION make_month(p_month date); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.make_month(p_month date) FROM PUBLIC;


--
-- Name: FUNCTION month_start(p_month date); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.month_start(p_month date) FROM PUBLIC;


--
-- Name: FUNCTION note_archive_change(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_archive_change() FROM PUBLIC;


--
-- Name: FUNCTION note_every_month(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_every_month() FROM PUBLIC;


--
-- Name: FUNCTION note_feedback_changes(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_feedback_changes() FROM PUBLIC;


--
-- Name: FUNCTION note_recommendation_changes(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_recommendation_changes() FROM PUBLIC;


--
-- Name: FUNCTION note_session_change(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_session_change() FROM PUBLIC;


--
-- Name: FUNCTION note_shop_change(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_shop_change() FROM PUBLIC;


--
-- Name: FUNCTION note_truncation(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.note_truncation() FROM PUBLIC;


--
-- Name: FUNCTION others_run(p_lock text); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.others_run(p_lock text) FROM PUBLIC;


--
-- Name: FUNCTION row_as_jsonb(p_row anyelement); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.row_as_jsonb(p_row anyelement) FROM PUBLIC;


--
-- Name: TABLE recommendations_log; Type: ACL; Schema: analytics; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE analytics.recommendations_log TO yumai_app;


--
-- Name: FUNCTION source_hash(p_recommendation analytics.recommendations_log); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.source_hash(p_recommendation analytics.recommendations_log) FROM PUBLIC;


--
-- Name: FUNCTION source_hash(p_feedback analytics.user_feedback); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.source_hash(p_feedback analytics.user_feedback) FROM PUBLIC;


--
-- Name: FUNCTION watch_sources(); Type: ACL; Schema: yumai_pipelines; Owner: yumai_pipeline
--

REVOKE ALL ON FUNCTION yumai_pipelines.watch_sources() FROM PUBLIC;


--
-- Name: SEQUENCE recommendations_log_id_seq; Type: ACL; Schema: analytics; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE analytics.recommendations_log_id_seq TO yumai_app;


--
-- Name: SEQUENCE user_feedback_id_seq; Type: ACL; Schema: analytics; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE analytics.user_feedback_id_seq TO yumai_app;


--
-- Name: TABLE conversations; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.conversations TO yumai_app;


--
-- Name: TABLE conversations_default; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.conversations_default TO yumai_app;


--
-- Name: SEQUENCE conversations_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.conversations_id_seq TO yumai_app;


--
-- Name: TABLE coupons; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.coupons TO yumai_app;


--
-- Name: SEQUENCE coupons_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.coupons_id_seq TO yumai_app;


--
-- Name: TABLE foodcard_users; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.foodcard_users TO yumai_app;


--
-- Name: SEQUENCE foodcard_users_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.foodcard_users_id_seq TO yumai_app;


--
-- Name: TABLE menus; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.menus TO yumai_app;


--
-- Name: SEQUENCE menus_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.menus_id_seq TO yumai_app;


--
-- Name: TABLE orders; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.orders TO yumai_app;


--
-- Name: TABLE orders_coupons; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.orders_coupons TO yumai_app;


--
-- Name: SEQUENCE orders_coupons_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.orders_coupons_id_seq TO yumai_app;


--
-- Name: SEQUENCE orders_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.orders_id_seq TO yumai_app;


--
-- Name: TABLE recent_conversations; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.recent_conversations TO yumai_app;


--
-- Name: TABLE reviews; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.reviews TO yumai_app;


--
-- Name: SEQUENCE reviews_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.reviews_id_seq TO yumai_app;


--
-- Name: TABLE session_master; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.session_master TO yumai_app;


--
-- Name: TABLE shops; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.shops TO yumai_app;


--
-- Name: SEQUENCE shops_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.shops_id_seq TO yumai_app;


--
-- Name: TABLE user_profiles; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.user_profiles TO yumai_app;


--
-- Name: SEQUENCE user_profiles_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.user_profiles_id_seq TO yumai_app;


--
-- Name: TABLE user_wallet; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.user_wallet TO yumai_app;


--
-- Name: SEQUENCE user_wallet_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.user_wallet_id_seq TO yumai_app;


--
-- Name: TABLE users; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE chatbot.users TO yumai_app;


--
-- Name: SEQUENCE users_id_seq; Type: ACL; Schema: chatbot; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE chatbot.users_id_seq TO yumai_app;


--
-- Name: TABLE ledger; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.ledger TO yumai_analyst;


--
-- Name: TABLE recommendation_outcomes; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.recommendation_outcomes TO yumai_analyst;


--
-- Name: TABLE shop_performance; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.shop_performance TO yumai_analyst;


--
-- Name: TABLE changed_months; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.changed_months TO yumai_analyst;


--
-- Name: TABLE feedback_summary; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.feedback_summary TO yumai_analyst;


--
-- Name: TABLE recommendation_funnel; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.recommendation_funnel TO yumai_analyst;


--
-- Name: TABLE score_calibration; Type: ACL; Schema: extracts; Owner: yumai_pipeline
--

GRANT SELECT ON TABLE extracts.score_calibration TO yumai_analyst;


--
-- Name: TABLE nlu_features; Type: ACL; Schema: ml_features; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ml_features.nlu_features TO yumai_app;


--
-- Name: SEQUENCE nlu_features_id_seq; Type: ACL; Schema: ml_features; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE ml_features.nlu_features_id_seq TO yumai_app;


--
-- Name: TABLE user_interactions; Type: ACL; Schema: ml_features; Owner: yumai_pipeline
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ml_features.user_interactions TO yumai_app;


--
-- Name: SEQUENCE user_interactions_id_seq; Type: ACL; Schema: ml_features; Owner: yumai_pipeline
--

GRANT SELECT,USAGE ON SEQUENCE ml_features.user_interactions_id_seq TO yumai_app;


--
-- Name: DEFAULT PRIVILEGES FOR SEQUENCES; Type: DEFAULT ACL; Schema: analytics; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA analytics GRANT SELECT,USAGE ON SEQUENCES TO yumai_app;


--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: analytics; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA analytics GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO yumai_app;


--
-- Name: DEFAULT PRIVILEGES FOR SEQUENCES; Type: DEFAULT ACL; Schema: chatbot; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA chatbot GRANT SELECT,USAGE ON SEQUENCES TO yumai_app;


--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: chatbot; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA chatbot GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO yumai_app;


--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: extracts; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA extracts GRANT SELECT ON TABLES TO yumai_analyst;


--
-- Name: DEFAULT PRIVILEGES FOR SEQUENCES; Type: DEFAULT ACL; Schema: ml_features; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA ml_features GRANT SELECT,USAGE ON SEQUENCES TO yumai_app;


--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: ml_features; Owner: yumai_pipeline
--

ALTER DEFAULT PRIVILEGES FOR ROLE yumai_pipeline IN SCHEMA ml_features GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO yumai_app;


--
-- PostgreSQL database dump complete
--


