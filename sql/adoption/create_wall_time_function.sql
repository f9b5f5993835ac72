-- What the older application writes to {table} is wall time of the business, in whatever time zone its connection is; the
-- transaction's own time, which defaults give, is an instant in any.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $wall_time$
DECLARE
    v_zone text := current_setting('TimeZone');
BEGIN
    IF v_zone <> {zone} THEN
        {assignments}
    END IF;
    {copies}
    RETURN NEW;
END
$wall_time$
