-- Notes in the row %(id)s what more was erased; returns its id.
UPDATE yumai_pipelines.erasures
SET counts = %(counts)s, erased_at = now()
WHERE id = %(id)s
RETURNING id
