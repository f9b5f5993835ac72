-- Removes the user %(user)s from quarantined rows of %(table)s, which stay as business records.
UPDATE yumai_pipelines.quarantine AS q
SET source_row = q.source_row || %(without)s
WHERE q.source_table = %(table)s AND q.source_row ->> 'user_id' = %(user)s::text
