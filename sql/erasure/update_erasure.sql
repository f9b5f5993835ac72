-- Updates the counts of the audit row %(id)s; returns its id.
UPDATE yumai_pipelines.erasures
SET counts = %(counts)s, erased_at = now()
WHERE id = %(id)s
RETURNING id
