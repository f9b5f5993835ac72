-- What is kept of Dagster's records, in temporary tables: kept_checks and kept_events by id, kept_runs by run_id, where
-- `whole` says that all events of the run stay. Everything that is younger than the setting yumai.before (UTC) stays whole.
-- Dagster's UI and its schedules read the latest event of each kind of each asset and partition, the latest evaluation of
-- each check and partition, and the latest run of each job in each state: these stay, however old they are.
CREATE TEMPORARY TABLE kept_checks ON COMMIT DROP AS
SELECT max(c.id) AS id
FROM public.asset_check_executions AS c
GROUP BY c.asset_key, c.check_name, c.partition, c.execution_status
UNION
SELECT c.id
FROM public.asset_check_executions AS c
WHERE c.create_timestamp >= current_setting('yumai.before')::timestamp;

CREATE TEMPORARY TABLE kept_events ON COMMIT DROP AS
SELECT max(e.id) AS id
FROM public.event_logs AS e
WHERE e.asset_key IS NOT NULL
GROUP BY e.asset_key, e.partition, e.dagster_event_type
UNION
SELECT named.id
FROM public.asset_check_executions AS c
INNER JOIN kept_checks AS k ON k.id = c.id
CROSS JOIN LATERAL (
    VALUES (c.evaluation_event_storage_id), (c.materialization_event_storage_id)
) AS named (id)
WHERE named.id IS NOT NULL;

CREATE TEMPORARY TABLE kept_runs ON COMMIT DROP AS
WITH latest AS (
    SELECT max(r.id) AS id
    FROM public.runs AS r
    GROUP BY r.pipeline_name, r.status
)

SELECT
    r.run_id,
    r.update_timestamp >= current_setting('yumai.before')::timestamp
    OR r.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED') AS whole
FROM public.runs AS r
WHERE
    r.update_timestamp >= current_setting('yumai.before')::timestamp
    OR r.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
    OR r.id IN (SELECT l.id FROM latest AS l)
    OR r.run_id IN (
        SELECT e.run_id
        FROM public.event_logs AS e
        INNER JOIN kept_events AS k ON k.id = e.id
    )
    OR r.run_id IN (
        SELECT c.run_id
        FROM public.asset_check_executions AS c
        INNER JOIN kept_checks AS k ON k.id = c.id
    );

CREATE UNIQUE INDEX ON kept_checks (id);
CREATE UNIQUE INDEX ON kept_events (id);
CREATE UNIQUE INDEX ON kept_runs (run_id);
ANALYZE kept_checks, kept_events, kept_runs;
