-- Deletes quarantined rows of the user %(user)s or of their sessions, except rows of tables that keep business records.
DELETE FROM yumai_pipelines.quarantine AS q
WHERE
    NOT q.source_table = any(%(kept)s)
    AND (
        q.source_row ->> 'user_id' = %(user)s::text
        OR q.source_row ->> 'session_id' = any(
            array(
                SELECT s.session_id::text FROM chatbot.session_master AS s WHERE s.user_id = %(user)s
                UNION ALL
                SELECT s.source_row ->> 'session_id'
                FROM yumai_pipelines.quarantine AS s
                WHERE s.source_table = 'chatbot.session_master' AND s.source_row ->> 'user_id' = %(user)s::text
            )
        )
    )
