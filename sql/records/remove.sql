-- Removes what is not kept. The tags of a run go with it.
DELETE FROM public.asset_event_tags AS t
USING removed_events AS x
WHERE x.id = t.event_id;

DELETE FROM public.event_logs AS e
USING removed_events AS x
WHERE x.id = e.id;

DELETE FROM public.asset_check_executions AS c
WHERE NOT EXISTS (SELECT FROM kept_checks AS k WHERE k.id = c.id);
