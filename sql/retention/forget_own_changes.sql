-- Deletes the notes of what this transaction has deleted: the ledger has it.
DELETE FROM yumai_pipelines.source_changes AS c
WHERE c.changed_by = pg_current_xact_id()
