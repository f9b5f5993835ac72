-- Trigger function that lets an application that does not use session_master write to {table}: it creates the session and the
-- user that a row needs.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $compatibility$
DECLARE
    v_at timestamptz := coalesce({time}, now());
    v_end timestamptz;
    v_why text := 'written by an application that opens no sessions';
BEGIN
    IF NEW.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM chatbot.users AS u WHERE u.id = NEW.user_id) THEN
        PERFORM yumai_pipelines.recover_user(NEW.user_id, {name});
    END IF;
    IF NEW.session_id IS NULL THEN
        NEW.session_id := gen_random_uuid();
        IF {name} <> 'chatbot.conversations' THEN
            -- No other row will ever name this session.
            v_end := v_at;
            v_why := 'the row had no session';
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM chatbot.session_master AS s WHERE s.session_id = NEW.session_id) THEN
        BEGIN
            INSERT INTO chatbot.session_master (
                session_id, user_id, session_start, session_end, is_active, session_metadata
            )
            VALUES (
                NEW.session_id, NEW.user_id, v_at, v_end, v_end IS NULL,
                jsonb_build_object('recovered', true, 'from', {name}, 'why', v_why)
            );
        EXCEPTION
            -- Another transaction has just created it. A transaction above READ COMMITTED cannot see that session, so its
            -- foreign key would fail, as ON CONFLICT would. It gets the error that such transactions must be ready for.
            WHEN unique_violation THEN
                IF current_setting('transaction_isolation') <> 'read committed' THEN
                    RAISE serialization_failure USING
                        MESSAGE = format('session %s was made by somebody else at this moment', NEW.session_id),
                        HINT = 'Repeat the transaction.';
                END IF;
        END;
    END IF;
    -- Any other reference to a missing row is emptied, and the original of the row is kept.{references}
    RETURN NEW;
END
$compatibility$
