-- The months, in the time zone {zone}, in which rows of {table} happened that are {theirs}: their first days.
SELECT DISTINCT date_trunc('month', t.{time} AT TIME ZONE {zone})::date AS month
FROM {table} AS t
WHERE {theirs}
