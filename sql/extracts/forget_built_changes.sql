-- Deletes the notes about the months %(months)s (their first days), which are built of the logs with these changes.
DELETE FROM yumai_pipelines.source_changes AS c
WHERE
    c.first_time IS NOT NULL
    AND EXISTS (SELECT FROM yumai_pipelines.changes_by_month AS m WHERE m.id = c.id)
    AND NOT EXISTS (
        SELECT FROM yumai_pipelines.changes_by_month AS m WHERE m.id = c.id AND m.month <> all(%(months)s::date[])
    )
