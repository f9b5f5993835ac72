-- How many events, evaluations of checks and runs go.
SELECT
    (SELECT count(*) FROM removed_events) AS events,
    (
        SELECT count(*) FROM public.asset_check_executions AS c
        WHERE NOT EXISTS (SELECT FROM kept_checks AS k WHERE k.id = c.id)
    ) AS checks,
    (
        SELECT count(*) FROM public.runs AS r
        WHERE NOT EXISTS (SELECT FROM kept_runs AS k WHERE k.run_id = r.run_id)
    ) AS runs
