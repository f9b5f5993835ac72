-- Creates a missing user under the id that rows refer to, marked as recovered; returns false when the user exists already.
-- New users must not get the same id, so their sequence is moved past it. It is not moved for an id above a thousand million,
-- which it will not reach.
CREATE OR REPLACE FUNCTION yumai_pipelines.recover_user(p_id integer, p_from text) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $recover$
DECLARE
    v_sequence text := pg_get_serial_sequence('chatbot.users', 'id');
    v_last bigint;
BEGIN
    IF p_id BETWEEN 1 AND 1000000000 AND v_sequence IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('yumai_pipelines: numbers of users', 0));
        SELECT s.last_value INTO v_last FROM pg_sequences AS s
        WHERE format('%I.%I', s.schemaname, s.sequencename) = v_sequence;
        IF p_id > coalesce(v_last, 0) THEN
            PERFORM setval(v_sequence, p_id);
        END IF;
    END IF;
    INSERT INTO chatbot.users (id, external_user_id, nickname, platform, user_status)
    OVERRIDING SYSTEM VALUE
    VALUES (p_id, 'recovered:' || p_id, 'recovered', 'web', 'DELETED');
    RETURN true;
EXCEPTION
    WHEN unique_violation THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE serialization_failure USING
                MESSAGE = format('user %s was made by somebody else at this moment', p_id),
                HINT = 'Repeat the transaction.';
        END IF;
        RETURN false;
END
$recover$
