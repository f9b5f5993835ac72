-- Creates a missing user under the id that rows refer to, marked as recovered; returns false when the user exists already.
-- New users must not get the same id, so their sequence is moved past it. It is not moved for an id above a thousand million,
-- which it will not reach. Those who move it take turns by a lock on a table of nobody else: an advisory lock could be held by
-- any login.
CREATE TABLE IF NOT EXISTS yumai_pipelines.recover_user_turns ();
REVOKE ALL ON yumai_pipelines.recover_user_turns FROM public;
CREATE OR REPLACE FUNCTION yumai_pipelines.recover_user(p_id bigint, p_from text) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $recover$
DECLARE
    -- Of an identity or of a serial, or the plain sequence that the default names.
    v_sequence text := coalesce(
        pg_get_serial_sequence('chatbot.users', 'id'),
        (
            SELECT min(s.oid::regclass::text)
            FROM pg_attrdef AS f
            INNER JOIN pg_attribute AS a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attname = 'id'
            INNER JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
            INNER JOIN pg_class AS s ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND s.relkind = 'S'
            WHERE f.adrelid = 'chatbot.users'::regclass
        )
    );
    v_last bigint;
BEGIN
    IF p_id BETWEEN 1 AND 1000000000 AND v_sequence IS NOT NULL THEN
        LOCK TABLE yumai_pipelines.recover_user_turns IN SHARE UPDATE EXCLUSIVE MODE;
        -- One that was never called says in last_value what it will give first.
        EXECUTE format('SELECT s.last_value - (NOT s.is_called)::integer FROM %s AS s', v_sequence) INTO v_last;
        IF p_id > v_last THEN
            PERFORM setval(v_sequence, p_id);
        END IF;
    END IF;
    BEGIN
        INSERT INTO chatbot.users (id, external_user_id, nickname, platform, user_status)
        OVERRIDING SYSTEM VALUE
        VALUES (p_id, 'recovered:' || p_id, 'recovered', 'web', 'DELETED');
    EXCEPTION
        -- The older database has other platforms, knows no deleted users, or lets a nickname stand but once.
        WHEN check_violation OR data_exception OR unique_violation THEN
            INSERT INTO chatbot.users (id, external_user_id)
            OVERRIDING SYSTEM VALUE
            VALUES (p_id, 'recovered:' || p_id);
    END;
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
