-- Forgets that a check was planned for single months, in a run that has evaluated it for the whole table.
DELETE FROM public.asset_check_executions
WHERE
    run_id = %(run_id)s
    AND asset_key = %(asset_key)s
    AND check_name = %(check_name)s
    AND execution_status = 'PLANNED'
    AND partition IS NOT NULL
