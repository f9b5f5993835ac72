-- Records that the partition %(partition)s of the month %(month)s is in the state %(state)s, which is detaching or detached.
-- What is recorded about an older file of the month is deleted. The file stays where it is.
INSERT INTO yumai_pipelines.archives (month, state, partition, detached_at)
VALUES (%(month)s, %(state)s, %(partition)s, now())
ON CONFLICT (month) DO UPDATE
SET
    state = excluded.state,
    partition = excluded.partition,
    detached_at = excluded.detached_at,
    uri = NULL,
    row_count = NULL,
    first_time = NULL,
    last_time = NULL,
    checksum = NULL,
    bytes = NULL,
    read_at = NULL
