-- Whether %(partition)s, a partition of %(parent)s, is being detached concurrently. No row if it is not a partition.
SELECT i.inhdetachpending
FROM pg_inherits AS i
WHERE i.inhparent = %(parent)s::regclass AND i.inhrelid = to_regclass(%(partition)s)
