-- Creates a batch of the gathered sessions. A session that a trigger has created meanwhile, with a later start, gets the
-- gathered start and user. Foreign keys are not looked at where triggers of theirs are not to notice, so the user is locked here;
-- one that has gone since leaves the session to nobody.
INSERT INTO chatbot.session_master AS s (session_id, user_id, session_start, session_end, is_active, session_metadata)
SELECT
    t.session_id,
    (SELECT u.id FROM chatbot.users AS u WHERE u.id = t.user_id LIMIT 1 FOR KEY SHARE) AS user_id,
    t.session_start,
    t.session_end,
    t.is_active,
    t.session_metadata
FROM yumai_pipelines.adoption_sessions AS t
WHERE {scope}
ORDER BY t.session_id
ON CONFLICT (session_id) DO UPDATE
SET
    session_start = least(s.session_start, excluded.session_start),
    user_id = coalesce(excluded.user_id, s.user_id)
WHERE s.session_start > excluded.session_start
