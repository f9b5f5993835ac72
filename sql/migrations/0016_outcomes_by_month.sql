-- Deploy: before
-- The extract of the outcomes gets a partition for each month: a build fills it beside the table, and makes its indexes then.
-- The rows that are there stay in their table. It becomes the partition of all months up to the one after the last that was
-- built, so the older version goes on. Who reads the extract waits until its rows are read once; the chatbot does not.
DO $$
DECLARE
    c_old CONSTANT regclass := 'extracts.recommendation_outcomes';
    v_path text := current_setting('search_path');
    v_hindrances text;
    v_next date;
    v_names text[];
    v_rest text[];
    v_statement text;
BEGIN
    LOCK TABLE extracts.recommendation_outcomes IN ACCESS EXCLUSIVE MODE;
    SELECT string_agg(DISTINCT hindrance.name, ', ') INTO v_hindrances
    FROM (
        SELECT coalesce(pg_describe_object('pg_class'::regclass, r.ev_class, 0), pg_describe_object(d.classid, d.objid, 0))
        FROM pg_depend AS d
        LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_class AS v ON v.oid = r.ev_class
        LEFT JOIN pg_constraint AS k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
        LEFT JOIN pg_class AS child ON d.classid = 'pg_class'::regclass AND child.oid = d.objid
        WHERE
            d.refclassid = 'pg_class'::regclass
            AND d.refobjid = c_old
            AND (
                d.classid IN (
                    'pg_proc'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_publication_rel'::regclass
                )
                OR k.contype = 'f'
                OR child.relkind IN ('r', 'f', 'p')
                OR v.relkind <> 'v'
            )
        UNION ALL
        SELECT 'row security'
        FROM pg_class AS c
        WHERE c.oid = c_old AND (c.relrowsecurity OR c.relforcerowsecurity)
    ) AS hindrance (name);
    IF v_hindrances IS NOT NULL THEN
        RAISE WARNING 'extracts.recommendation_outcomes stays one table, and is built as before: % on it.', v_hindrances;
        RETURN;
    END IF;

    -- In a definition every name is qualified, so that it means the new table when that has the name.
    PERFORM set_config('search_path', 'pg_catalog', true);
    SELECT
        coalesce(
            array_agg(format('ALTER INDEX extracts.%I RENAME TO %I', c.relname, left(c.relname, 57) || '_older')), '{}'
        ),
        array_agg(
            CASE
                WHEN k.oid IS NOT NULL THEN format(
                    'ALTER TABLE extracts.recommendation_outcomes ADD CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)
                )
                ELSE format(
                    'CREATE %s INDEX %I ON extracts.recommendation_outcomes %s', CASE WHEN i.indisunique THEN 'UNIQUE' END,
                    c.relname, substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)$')
                )
            END
            ORDER BY c.relname
        )
    INTO v_names, v_rest
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = c_old;
    SELECT v_rest || array_agg(said.statement ORDER BY said.place) INTO v_rest
    FROM (
        SELECT 1, format('ALTER TABLE extracts.recommendation_outcomes OWNER TO %I', pg_get_userbyid(c.relowner))
        FROM pg_class AS c
        WHERE c.oid = c_old
        UNION ALL
        -- What new tables of the schema are given by themselves.
        SELECT
            2,
            format(
                'REVOKE ALL ON extracts.recommendation_outcomes FROM %s',
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            )
        FROM pg_default_acl AS d
        CROSS JOIN aclexplode(d.defaclacl) AS a
        INNER JOIN pg_class AS c ON c.oid = c_old
        WHERE d.defaclobjtype = 'r' AND a.grantee <> c.relowner
        UNION ALL
        SELECT
            3,
            format(
                'GRANT %s%s ON extracts.recommendation_outcomes TO %s%s', acl.privilege, ' (' || quote_ident(acl.part) || ')',
                CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
                CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' END
            )
        FROM pg_class AS c
        CROSS JOIN LATERAL (
            SELECT NULL::name, a.* FROM aclexplode(c.relacl) AS a
            UNION ALL
            SELECT f.attname, a.*
            FROM pg_attribute AS f
            CROSS JOIN aclexplode(f.attacl) AS a
            WHERE f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped
        ) AS acl (part, grantor, grantee, privilege, is_grantable)
        WHERE c.oid = c_old AND acl.grantee <> c.relowner
        UNION ALL
        SELECT
            4,
            format(
                'ALTER TABLE extracts.recommendation_outcomes REPLICA IDENTITY %s',
                CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE 'USING INDEX ' || quote_ident(x.relname) END
            )
        FROM pg_class AS c
        LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisreplident
        LEFT JOIN pg_class AS x ON x.oid = i.indexrelid
        WHERE c.oid = c_old AND c.relreplident <> 'd'
        UNION ALL
        SELECT 5, format('COMMENT ON TABLE extracts.recommendation_outcomes IS %L', obj_description(c_old, 'pg_class'))
        UNION ALL
        -- Whoever reads the views reads all months, and they keep what depends on them.
        SELECT DISTINCT
            6,
            format(
                'CREATE OR REPLACE VIEW %s%s AS %s', v.oid::regclass, ' WITH (' || array_to_string(v.reloptions, ', ') || ')',
                pg_get_viewdef(v.oid)
            )
        FROM pg_depend AS d
        INNER JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        INNER JOIN pg_class AS v ON v.oid = r.ev_class
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c_old
    ) AS said (place, statement);

    SELECT (greatest(max(b.month), (SELECT max(o.month) FROM extracts.recommendation_outcomes AS o)) + interval '2 months')::date
    INTO v_next
    FROM extracts.ledger AS b;

    BEGIN
        ALTER TABLE extracts.recommendation_outcomes RENAME TO recommendation_outcomes_older;
        FOREACH v_statement IN ARRAY v_names LOOP
            EXECUTE v_statement;
        END LOOP;
        CREATE TABLE extracts.recommendation_outcomes (
            LIKE extracts.recommendation_outcomes_older INCLUDING ALL EXCLUDING INDEXES
        ) PARTITION BY RANGE (month);
        FOREACH v_statement IN ARRAY v_rest LOOP
            EXECUTE v_statement;
        END LOOP;
        IF v_next IS NULL THEN
            DROP TABLE extracts.recommendation_outcomes_older;
        ELSE
            EXECUTE format(
                'ALTER TABLE extracts.recommendation_outcomes ATTACH PARTITION extracts.recommendation_outcomes_older '
                'FOR VALUES FROM (MINVALUE) TO (%L)', v_next
            );
            EXECUTE format(
                'COMMENT ON TABLE extracts.recommendation_outcomes_older IS %L',
                format('Outcomes of the months before %s, from before there was a partition for each.', v_next)
            );
        END IF;
    EXCEPTION
        -- A view, an index or a constraint of theirs.
        WHEN insufficient_privilege OR feature_not_supported OR invalid_table_definition OR datatype_mismatch
        OR invalid_object_definition OR dependent_objects_still_exist THEN
            RAISE WARNING 'extracts.recommendation_outcomes stays one table, and is built as before: %.', SQLERRM;
    END;
    PERFORM set_config('search_path', v_path, true);
END
$$;
