-- Takes sessions out of purge_batch that have a row which the extracts of safe months do not know, or knew otherwise. To
-- be repeated, with purge_rows listed anew, until it takes none: feedback of a session that stays may be on a
-- recommendation of one that goes. One row: how many.
WITH kept AS (
    DELETE FROM purge_batch AS b
    USING (SELECT DISTINCT p.session_id FROM purge_rows AS p WHERE p.month IS NULL) AS unknown
    WHERE b.session_id = unknown.session_id
    RETURNING b.session_id
)

SELECT count(*) FROM kept
