-- Replaces notes about shops, sessions, and days of which a month begins, by a note for each month that they are about, as far
-- as extracts name it that are built by now. A later build sees the change itself.
WITH taken AS (
    DELETE FROM yumai_pipelines.source_changes AS c
    WHERE
        c.first_time IS NULL
        OR c.id IN (SELECT m.id FROM yumai_pipelines.changes_by_month AS m GROUP BY m.id HAVING count(*) > 1)
    RETURNING c.id
)

INSERT INTO yumai_pipelines.source_changes (noted_at, changed_by, first_time, last_time, recommendations, feedback)
SELECT
    m.noted_at,
    m.changed_by,
    m.month::timestamp AT TIME ZONE yumai_pipelines.business_timezone(),
    m.month::timestamp AT TIME ZONE yumai_pipelines.business_timezone(),
    m.recommendations,
    m.feedback
FROM yumai_pipelines.changes_by_month AS m
INNER JOIN taken AS t ON t.id = m.id
