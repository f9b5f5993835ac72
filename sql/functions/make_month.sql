-- What `yumai up` and Dagster do for many months and many rows, for one month and psql alone (sections 7.2 and 8.1 of the
-- database document). The steps, their locks and the order of these are those of yumai_pipelines/partitions/ensure.py.
CREATE OR REPLACE FUNCTION yumai_pipelines.make_month(p_month date)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' SET lock_timeout = '100ms' AS $$
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
COMMENT ON FUNCTION yumai_pipelines.make_month(date) IS
'Makes the partition of the month of a day, and moves its rows out of the default partition. Returns created, filled or recognized.
Writers wait 100 ms at most for its locks, and until the end of its transaction: call it outside of a longer one.';
