-- What sessions were gathered in.
DROP TABLE IF EXISTS yumai_pipelines.adoption_sessions
