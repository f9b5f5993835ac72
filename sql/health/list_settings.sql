-- Settings of the server that may do harm, by name, as every new connection has them, and from where they come.
SELECT
    s.name,
    s.reset_val AS value,
    CASE s.source WHEN 'configuration file' THEN coalesce(s.sourcefile, s.source) ELSE s.source END AS source
FROM pg_settings AS s
WHERE
    s.name IN (
        'fsync', 'full_page_writes', 'autovacuum', 'track_counts', 'zero_damaged_pages', 'ignore_system_indexes',
        'log_statement', 'log_min_duration_statement', 'log_parameter_max_length', 'log_parameter_max_length_on_error'
    )
ORDER BY s.name
