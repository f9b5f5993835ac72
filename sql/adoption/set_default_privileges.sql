-- What migration 0001 says for tables to come, which an adopted database gets without that migration.
ALTER DEFAULT PRIVILEGES IN SCHEMA chatbot, ml_features, analytics
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO yumai_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA chatbot, ml_features, analytics
GRANT USAGE, SELECT ON SEQUENCES TO yumai_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA extracts
GRANT SELECT ON TABLES TO yumai_analyst;
