-- Deletes the months %(months)s (their first days) of {extract}; the next statement of the transaction fills them again.
DELETE FROM {extract}
WHERE month = ANY(%(months)s::date[])
