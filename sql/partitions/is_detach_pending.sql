-- Whether %(partition)s is a partition of %(parent)s that is being detached concurrently; no row when it is no partition.
SELECT i.inhdetachpending
FROM pg_inherits AS i
WHERE i.inhparent = %(parent)s::regclass AND i.inhrelid = to_regclass(%(partition)s)
