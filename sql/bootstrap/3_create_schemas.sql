-- The schemas, owned by yumai_pipeline, and who may look into them.
DO $$
DECLARE
    v_schema text;
BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO yumai_pipeline', current_database());
    FOREACH v_schema IN ARRAY ARRAY['chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines'] LOOP
        IF to_regnamespace(v_schema) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I AUTHORIZATION yumai_pipeline', v_schema);
        END IF;
    END LOOP;
END
$$;

SET LOCAL ROLE yumai_pipeline;

GRANT USAGE ON SCHEMA chatbot, ml_features, analytics, yumai_pipelines TO yumai_app;
GRANT USAGE ON SCHEMA extracts TO yumai_analyst;

COMMENT ON SCHEMA chatbot IS 'What the chatbot works on: people, shops, sessions, conversations.';
COMMENT ON SCHEMA ml_features IS 'Features for the recommendation models, written by the chatbot.';
COMMENT ON SCHEMA analytics IS 'What was recommended, and what people thought of it, written by the chatbot.';
COMMENT ON SCHEMA extracts IS 'Monthly tables for analysts, without personal data, built by yumai_pipelines.';
COMMENT ON SCHEMA yumai_pipelines IS 'The pipeline''s own tables, and tables that it builds before it attaches them.';
