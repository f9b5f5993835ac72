-- Notes that somebody was forgotten, and nothing of whom; returns the row's id.
INSERT INTO yumai_pipelines.erasures (reason, counts, run_id)
VALUES (%(reason)s, %(counts)s, %(run_id)s)
RETURNING id
