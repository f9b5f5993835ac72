-- Objects that this project does not know and leaves alone: a table, views on altered columns, a function, an index, a
-- column.
CREATE TABLE chatbot.campaigns (id int PRIMARY KEY, user_id int REFERENCES chatbot.users (id), title text);
INSERT INTO chatbot.campaigns VALUES (1, 1, '봄');
CREATE VIEW analytics.recommendations_by_hour AS
SELECT date_trunc('hour', time_stamp) AS hour, count(*) AS recommendations
FROM analytics.recommendations_log GROUP BY 1;
CREATE VIEW analytics.everything_of_feedback AS SELECT * FROM analytics.user_feedback;
CREATE INDEX feedback_by_user_and_time ON analytics.user_feedback (user_id, time_stamp);
ALTER TABLE chatbot.shops ADD COLUMN owner_memo text;
CREATE FUNCTION analytics.count_feedback() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM analytics.user_feedback';
