-- What identifies the rows of %(parent)s for subscribers, and the partition %(partition)s's part of the index that does. No row
-- where the partition has the same.
SELECT
    p.relreplident::text AS kind,
    part.relname AS index
FROM pg_class AS p
INNER JOIN pg_class AS c ON c.oid = %(partition)s::regclass
LEFT JOIN pg_index AS i ON i.indrelid = p.oid AND i.indisreplident AND p.relreplident = 'i'
LEFT JOIN pg_inherits AS link ON link.inhparent = i.indexrelid
LEFT JOIN pg_index AS own ON own.indexrelid = link.inhrelid
LEFT JOIN pg_class AS part ON part.oid = own.indexrelid
WHERE
    p.oid = %(parent)s::regclass
    AND (i.indexrelid IS NULL OR own.indrelid = c.oid)
    AND (p.relreplident <> c.relreplident OR (own.indexrelid IS NOT NULL AND NOT own.indisreplident))
