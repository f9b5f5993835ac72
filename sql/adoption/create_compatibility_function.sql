-- Lets an application that knows of no session_master write to {table}: makes the session that a row needs, and the user.
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
            -- Nobody else will ever name it.
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
            -- Somebody was quicker. ON CONFLICT would be refused in a transaction that cannot see theirs, and so would the
            -- foreign key: such a transaction is told in the way that it has to expect.
            WHEN unique_violation THEN
                IF current_setting('transaction_isolation') <> 'read committed' THEN
                    RAISE serialization_failure USING
                        MESSAGE = format('session %s was made by somebody else at this moment', NEW.session_id),
                        HINT = 'Repeat the transaction.';
                END IF;
        END;
    END IF;
    -- A reference to anything else that is gone is emptied, and the row kept as it came.{references}
    RETURN NEW;
END
$compatibility$
