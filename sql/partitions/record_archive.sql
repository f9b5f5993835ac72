-- Records that the month %(month)s is now only in the file %(uri)s.
UPDATE yumai_pipelines.archives
SET
    state = 'archived',
    uri = %(uri)s,
    row_count = %(rows)s,
    first_time = %(first)s,
    last_time = %(last)s,
    checksum = %(checksum)s,
    bytes = %(bytes)s,
    archived_at = now(),
    read_at = now()
WHERE month = %(month)s
