-- The replicas that follow this server, and how far the replay of each is behind.
SELECT
    coalesce(nullif(r.application_name, ''), r.pid::text) AS name,
    r.state,
    coalesce(extract(EPOCH FROM r.replay_lag), 0)::float AS lag_seconds
FROM pg_stat_replication AS r
ORDER BY name
