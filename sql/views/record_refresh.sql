-- Records the time of a refresh of the view %(view_name)s, in the transaction that refreshed it. Returns this time and the number
-- of rows.
INSERT INTO yumai_pipelines.view_refreshes AS r (view_name, as_of, row_count)
SELECT %(view_name)s, now(), count(*)
FROM {view}
ON CONFLICT (view_name) DO UPDATE SET as_of = excluded.as_of, row_count = excluded.row_count
RETURNING r.as_of, r.row_count
