-- Deletes notes about months that were never built: whichever build comes first will see the changes themselves.
DELETE FROM yumai_pipelines.source_changes AS c
WHERE
    NOT EXISTS (
        SELECT
        FROM yumai_pipelines.changes_by_month AS m
        INNER JOIN extracts.ledger AS l ON l.month = m.month
        WHERE m.id = c.id
    )
