-- Each change of a row in the default partition is made in the new tables as well, in the writer's own transaction: every
-- snapshot then sees the same rows in both. A row that the writer's snapshot cannot see in the new table, because the copy
-- has not come to it or is younger than the snapshot, is noted for a second look.
CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $mirror$
DECLARE
    mirrored boolean := true;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        {clear_all}
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        {delete_old}
        mirrored := FOUND;
    END IF;
    IF NOT mirrored THEN
        INSERT INTO {second_look} (id, conversation_time) VALUES (OLD.id, OLD.conversation_time);
        IF TG_OP = 'UPDATE' THEN
            INSERT INTO {second_look} (id, conversation_time) VALUES (NEW.id, NEW.conversation_time);
        END IF;
    ELSIF TG_OP <> 'DELETE' THEN
        {insert_new}
    END IF;
    RETURN NULL;
END
$mirror$
