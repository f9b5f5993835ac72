-- The months, in the time zone {zone}, in which the person's rows of {table} happened, as their first days.
SELECT DISTINCT date_trunc('month', t.{time} AT TIME ZONE {zone})::date AS month
FROM {table} AS t
WHERE {theirs}
