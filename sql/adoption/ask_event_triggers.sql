-- The kinds of statements by which an adoption changes a schema, of a table of their own, to be rolled back: what event triggers
-- of theirs say to them.
CREATE TABLE chatbot.yumai_asks (id integer, noted timestamp, kind text);
ALTER TABLE chatbot.yumai_asks ALTER COLUMN noted TYPE timestamptz USING noted AT TIME ZONE 'UTC', ALTER COLUMN id SET NOT NULL;
ALTER TABLE chatbot.yumai_asks ADD CONSTRAINT yumai_asks_kind CHECK (kind <> '') NOT VALID, ALTER COLUMN kind SET DEFAULT 'a';
ALTER TABLE chatbot.yumai_asks RENAME COLUMN kind TO sort;
CREATE UNIQUE INDEX yumai_asks_id ON chatbot.yumai_asks (id);
CREATE FUNCTION chatbot.yumai_asks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER yumai_asks BEFORE INSERT ON chatbot.yumai_asks FOR EACH ROW EXECUTE FUNCTION chatbot.yumai_asks();
CREATE TYPE chatbot.yumai_asked AS ENUM ('a');
CREATE VIEW chatbot.yumai_answers AS SELECT a.id FROM chatbot.yumai_asks AS a;
COMMENT ON TABLE chatbot.yumai_asks IS 'It is gone at once.';
GRANT SELECT ON chatbot.yumai_asks TO public;
DROP TRIGGER yumai_asks ON chatbot.yumai_asks;
DROP FUNCTION chatbot.yumai_asks();
DROP VIEW chatbot.yumai_answers;
DROP INDEX chatbot.yumai_asks_id;
ALTER TABLE chatbot.yumai_asks DROP COLUMN sort;
DROP TABLE chatbot.yumai_asks;
DROP TYPE chatbot.yumai_asked;
