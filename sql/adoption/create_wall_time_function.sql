-- Trigger function that reads the times that the older application writes to {table} as wall time of the business, in whatever
-- time zone its connection is. The transaction's own time, now(), is an instant already, and is left as it is.
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
