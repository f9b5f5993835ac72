-- Leaves the script of section 8.2 of the database document half done. Its INSERT failed at a session id with two users
-- and was repeated with one user for each session. Then one partition got the foreign key, under the script's name and
-- without ON DELETE.
CREATE TABLE chatbot.session_master (session_id uuid PRIMARY KEY, user_id int, session_start timestamptz);
INSERT INTO chatbot.session_master (session_id, user_id, session_start)
SELECT session_id, min(user_id), min(conversation_time) FROM chatbot.conversations GROUP BY session_id;
ALTER TABLE chatbot.conversations_2024_08 ADD CONSTRAINT conversations_session_fkey
FOREIGN KEY (session_id) REFERENCES chatbot.session_master (session_id);
