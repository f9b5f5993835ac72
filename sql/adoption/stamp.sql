-- Records that the database has the state of migration 0004, so that the later migrations run as in any upgrade.
CREATE TABLE yumai_pipelines.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO yumai_pipelines.alembic_version (version_num) VALUES ('0004');
