-- Clears the months %(months)s (their first days) of {extract}, for the statement that fills them in the same transaction.
DELETE FROM {extract}
WHERE month = ANY(%(months)s::date[])
