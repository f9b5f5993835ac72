-- Where clocks are put forward at that midnight, PostgreSQL takes the instant at which they are: the first of the month. Where
-- they are turned back after it, midnight comes twice, and PostgreSQL takes the second.
CREATE OR REPLACE FUNCTION yumai_pipelines.month_start(p_month date)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT min(midnight.instant - earlier.by)
    FROM (
        SELECT date_trunc('month', p_month::timestamp) AS wall, yumai_pipelines.business_timezone() AS timezone
    ) AS wanted
    CROSS JOIN LATERAL (SELECT wanted.wall AT TIME ZONE wanted.timezone AS instant) AS midnight
    CROSS JOIN (
        VALUES (interval '0'), (interval '20 minutes'), (interval '30 minutes'), (interval '1 hour'), (interval '2 hours')
    ) AS earlier (by)
    WHERE (midnight.instant - earlier.by) AT TIME ZONE wanted.timezone >= wanted.wall
$$;
COMMENT ON FUNCTION yumai_pipelines.month_start(date) IS
'The first instant of the month of a day, in the business''s time zone.';
