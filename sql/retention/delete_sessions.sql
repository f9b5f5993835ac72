-- Deletes the sessions of purge_batch with all rows that belong to them, as delete_old_sessions does. Section 7.2. One row: the
-- number of sessions.
WITH forgotten AS (
    DELETE FROM yumai_pipelines.counted_feedback AS c
    USING analytics.user_feedback AS f, purge_batch AS b
    WHERE c.feedback_id = f.id AND f.session_id = b.session_id
),

deleted AS (
    DELETE FROM chatbot.session_master AS s
    WHERE s.session_id = ANY(array(SELECT b.session_id FROM purge_batch AS b))
    RETURNING s.session_id
)

SELECT count(*) FROM deleted
