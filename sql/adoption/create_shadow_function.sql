-- Keeps the columns beside the naive ones of {table}: the same instants, as the business's time zone reads the wall time.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $shadow$
BEGIN
    {assignments}
    RETURN NEW;
END
$shadow$
