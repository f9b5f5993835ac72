-- Says that the database is what the migrations up to 0004 make: from here on they go on as for any upgrade.
CREATE TABLE yumai_pipelines.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO yumai_pipelines.alembic_version (version_num) VALUES ('0004');
