-- Who may execute a function: its owner, and nobody by being there. PostgreSQL lets everybody execute a new one.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The same for functions that are there already. Clients may execute what stands in their schemas; an adopted database has
-- functions of its own there.
DO $$
DECLARE
    v_routine record;
BEGIN
    FOR v_routine IN
        SELECT
            p.oid::regprocedure AS signature,
            (
                (n.nspname IN ('chatbot', 'ml_features', 'analytics') AND p.prorettype <> 'trigger'::regtype)
                -- They call this one with the client's rights.
                OR p.oid = 'yumai_pipelines.business_timezone()'::regprocedure
            ) AS is_for_clients
        FROM pg_proc AS p
        INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
        WHERE
            n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
            AND p.proowner = current_user::regrole
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
            )
        ORDER BY p.oid
    LOOP
        EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', v_routine.signature);
        IF v_routine.is_for_clients THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO yumai_app', v_routine.signature);
        END IF;
    END LOOP;
END
$$;
