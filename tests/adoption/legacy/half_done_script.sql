-- Section 8.2 of the database document, which failed in the middle: its INSERT met a session id with two users, was done
-- again with one user each, and the foreign key followed, for one partition, under the script's name and without a rule.
CREATE TABLE chatbot.session_master (session_id uuid PRIMARY KEY, user_id int, session_start timestamptz);
INSERT INTO chatbot.session_master (session_id, user_id, session_start)
SELECT session_id, min(user_id), min(conversation_time) FROM chatbot.conversations GROUP BY session_id;
ALTER TABLE chatbot.conversations_2024_08 ADD CONSTRAINT conversations_session_fkey
FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id);
