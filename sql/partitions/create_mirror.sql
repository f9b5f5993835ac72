-- Repeats each change of a row in the default partition in the new tables, in the writer's own transaction, so that every
-- snapshot sees the same rows in both. A row that the writer's snapshot cannot see in the new table, because it is not copied
-- yet or was copied after the snapshot was taken, is noted for a second look.
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
