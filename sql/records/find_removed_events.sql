-- The events that go, in a temporary table. Of a run that stays only because something of it is the latest, the events
-- that say how it went stay too.
CREATE TEMPORARY TABLE removed_events ON COMMIT DROP AS
SELECT e.id
FROM public.event_logs AS e
LEFT JOIN kept_runs AS r ON r.run_id = e.run_id
WHERE
    e.timestamp < current_setting('yumai.before')::timestamp
    AND NOT EXISTS (SELECT FROM kept_events AS k WHERE k.id = e.id)
    AND (r.run_id IS NULL OR NOT (r.whole OR coalesce(e.dagster_event_type LIKE 'PIPELINE_%', FALSE)));

CREATE UNIQUE INDEX ON removed_events (id);
ANALYZE removed_events;
