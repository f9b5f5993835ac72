-- Trigger function that fills the shadow columns of {table} from the naive ones, read in the business's time zone.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $shadow$
BEGIN
    {assignments}
    RETURN NEW;
END
$shadow$
