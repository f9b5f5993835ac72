-- Records that somebody was erased, without saying who; returns the row's id.
INSERT INTO yumai_pipelines.erasures (reason, counts, run_id)
VALUES (%(reason)s, %(counts)s, %(run_id)s)
RETURNING id
