-- Empties what sessions are gathered in.
TRUNCATE yumai_pipelines.adoption_activity, yumai_pipelines.adoption_sessions
