-- Puts the next %(size)s sessions that ended from %(lower_bound)s up to %(upper_bound)s into purge_batch: those after the
-- session %(last_id)s, which ended at %(last_end)s. They are locked, so that nothing can be written into them until the
-- transaction ends. Sessions that somebody is writing into are skipped.
WITH picked AS (
    SELECT
        s.session_id,
        s.session_end
    FROM chatbot.session_master AS s
    WHERE
        s.session_end >= %(lower_bound)s AND s.session_end < %(upper_bound)s
        AND (s.session_end, s.session_id) > (%(last_end)s, %(last_id)s)
    ORDER BY s.session_end, s.session_id
    LIMIT %(size)s
    FOR UPDATE SKIP LOCKED
),

batch AS (
    INSERT INTO purge_batch (session_id)
    SELECT p.session_id FROM picked AS p
)

SELECT
    count(*) AS picked,
    max(p.session_end) AS last_end,
    (array_agg(p.session_id ORDER BY p.session_end DESC, p.session_id DESC))[1] AS last_id
FROM picked AS p
