-- The months, in the time zone {zone}, in which rows of {table} of theirs happened: their first days. A time of no month that an
-- extract can have, such as infinity or one before our era, is left out.
SELECT DISTINCT date_trunc('month', t.{time} AT TIME ZONE {zone})::date AS month
FROM {table} AS t
WHERE {theirs} AND t.{time} >= '0001-01-02 00:00+00' AND t.{time} < '9999-01-01 00:00+00'
