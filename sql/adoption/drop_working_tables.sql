-- Drops the working tables. The adoption has ended when they are gone.
DROP TABLE IF EXISTS yumai_pipelines.adoption_sessions;
DROP TABLE yumai_pipelines.adoption_run, yumai_pipelines.adoption_cases, yumai_pipelines.adoption_unknown_users,
yumai_pipelines.adoption_emptied;
