-- Drops the table into which sessions are gathered, if an earlier run has left it.
DROP TABLE IF EXISTS yumai_pipelines.adoption_sessions
