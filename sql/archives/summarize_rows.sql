-- The summary of {table}: number of rows, first and last {time}, octets of the longest row's text, and the four sums of the
-- checksum. Each row's text {text} is hashed by SHA-256, and each sum is over one quarter of the hashes, read as a number. The
-- sums do not depend on the order of the rows, and a row that occurs twice counts twice.
SELECT
    count(*) AS rows,
    min(digests.time) AS first,
    max(digests.time) AS last,
    coalesce(max(digests.octets), 0) AS longest,
    ARRAY[
        coalesce(sum(('x' || encode(substring(digests.digest FROM 1 FOR 8), 'hex'))::bit(64)::bigint), 0),
        coalesce(sum(('x' || encode(substring(digests.digest FROM 9 FOR 8), 'hex'))::bit(64)::bigint), 0),
        coalesce(sum(('x' || encode(substring(digests.digest FROM 17 FOR 8), 'hex'))::bit(64)::bigint), 0),
        coalesce(sum(('x' || encode(substring(digests.digest FROM 25 FOR 8), 'hex'))::bit(64)::bigint), 0)
    ] AS sums
FROM (
    SELECT
        texts.time,
        octet_length(texts.text) AS octets,
        sha256(texts.text) AS digest
    FROM (
        SELECT
            {time} AS time,
            convert_to({text}, 'UTF8') AS text
        FROM {table}
        OFFSET 0
    ) AS texts
    OFFSET 0
) AS digests
