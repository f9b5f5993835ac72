-- Gives rows of {table} without a time the time of the row before them, or else of the row after them, or else now.
UPDATE {table} AS t
SET
    {time} = coalesce(
        (SELECT p.{time} FROM {table} AS p WHERE p.{key} < t.{key} AND p.{time} IS NOT NULL ORDER BY p.{key} DESC LIMIT 1),
        (SELECT n.{time} FROM {table} AS n WHERE n.{key} > t.{key} AND n.{time} IS NOT NULL ORDER BY n.{key} LIMIT 1),
        now()
    )
WHERE {scope} AND t.{time} IS NULL
