-- Notes that somebody was forgotten, and nothing of whom.
INSERT INTO yumai_pipelines.erasures (reason, counts, run_id)
VALUES (%(reason)s, %(counts)s, %(run_id)s)
