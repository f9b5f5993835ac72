-- Records that the file %(uri)s has replaced the file %(old)s, which no month refers to any more.
UPDATE yumai_pipelines.archives
SET
    uri = %(uri)s,
    row_count = %(rows)s,
    first_time = %(first)s,
    last_time = %(last)s,
    checksum = %(checksum)s,
    bytes = %(bytes)s,
    read_at = now()
WHERE uri = %(old)s
