-- Removes runs that are not kept, and returns their ids: what they printed is in files.
DELETE FROM public.runs AS r
WHERE NOT EXISTS (SELECT FROM kept_runs AS k WHERE k.run_id = r.run_id)
RETURNING r.run_id
