-- The default privileges for later tables that migration 0001 sets. An adopted database does not run that migration.
ALTER DEFAULT PRIVILEGES IN SCHEMA chatbot, ml_features, analytics
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO yumai_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA chatbot, ml_features, analytics
GRANT USAGE, SELECT ON SEQUENCES TO yumai_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA extracts
GRANT SELECT ON TABLES TO yumai_analyst;
