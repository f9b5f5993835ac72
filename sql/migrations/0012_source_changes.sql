-- Which months of the extracts are not of the logs as they are: a note of every change of what the extracts read.

-- Without a CHECK: only the triggers and resolve_changes.sql write it, and a CHECK was a quarter of what a note costs.
CREATE TABLE yumai_pipelines.source_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    first_time timestamptz,
    last_time timestamptz,
    recommendations bigint NOT NULL DEFAULT 0,
    feedback bigint NOT NULL DEFAULT 0,
    shop_id bigint,
    session_id uuid
);
COMMENT ON TABLE yumai_pipelines.source_changes IS
'What changed of what the extracts read, and is in no extract yet. One row per statement and day (UTC) of the rows that it changed; or per shop or session whose attributes changed. Triggers write it, whichever way the change comes; builds of the extracts take out what they have read. Each is of either times, or a shop, or a session.';
COMMENT ON COLUMN yumai_pipelines.source_changes.id IS 'Number of the note.';
COMMENT ON COLUMN yumai_pipelines.source_changes.noted_at IS 'When it changed.';
COMMENT ON COLUMN yumai_pipelines.source_changes.changed_by IS 'The transaction that changed it: retention takes out its own.';
COMMENT ON COLUMN yumai_pipelines.source_changes.first_time IS
'The earliest time that decides the month of one of the rows: of the recommendation, or of feedback on none.';
COMMENT ON COLUMN yumai_pipelines.source_changes.last_time IS 'The latest such time, on the same day.';
COMMENT ON COLUMN yumai_pipelines.source_changes.recommendations IS 'Recommendations that came, changed or went.';
COMMENT ON COLUMN yumai_pipelines.source_changes.feedback IS 'Feedback that came, changed or went.';
COMMENT ON COLUMN yumai_pipelines.source_changes.shop_id IS
'A shop that came or went, or whose name, category or marks changed: each month whose extracts name it has changed.';
COMMENT ON COLUMN yumai_pipelines.source_changes.session_id IS
'A session whose type or start changed: each month with a recommendation of it has changed.';

-- Each statement writes one row per day that it touches, without asking which months are built: that would cost a writer
-- more, and could not know of a build that is under way.
CREATE FUNCTION yumai_pipelines.note_recommendation_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, recommendations)
        SELECT min(n.time_stamp), max(n.time_stamp), count(*)
        FROM new_rows AS n
        GROUP BY date_trunc('day', n.time_stamp, 'UTC');
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, recommendations)
        SELECT min(o.time_stamp), max(o.time_stamp), count(*)
        FROM old_rows AS o
        GROUP BY date_trunc('day', o.time_stamp, 'UTC');
    ELSE
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, recommendations)
        SELECT min(moment.time_stamp), max(moment.time_stamp), count(DISTINCT coalesce(n.id, o.id))
        FROM old_rows AS o
        FULL JOIN new_rows AS n ON o.id = n.id
        CROSS JOIN LATERAL (VALUES (o.time_stamp), (n.time_stamp)) AS moment (time_stamp)
        WHERE
            moment.time_stamp IS NOT NULL
            AND (
                o.shop_id IS DISTINCT FROM n.shop_id
                OR yumai_pipelines.source_hash(o::analytics.recommendations_log) IS DISTINCT FROM yumai_pipelines.source_hash(n::analytics.recommendations_log)
            )
        GROUP BY date_trunc('day', moment.time_stamp, 'UTC');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_recommendation_changes() IS
'Trigger of the recommendations: notes in source_changes what came, went, or changed in what the extracts read.';

-- Feedback counts in the month of its recommendation, where it has one. It keeps that month when retention deletes the
-- recommendation. SETOF, so that it becomes a part of the query that names it: a call for each row was half of what the notes
-- add to the deletion of sessions. OFFSET 0, so that each row is looked up once.
CREATE FUNCTION yumai_pipelines.counting_time(p_feedback analytics.user_feedback) RETURNS SETOF timestamptz
LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (
            SELECT r.time_stamp
            FROM analytics.recommendations_log AS r
            WHERE r.id = (p_feedback).related_recommendation_id
        ),
        (
            -- The second is within the month in every time zone.
            SELECT (c.month + 1)::timestamp AT TIME ZONE 'UTC'
            FROM yumai_pipelines.counted_feedback AS c
            WHERE c.feedback_id = (p_feedback).id AND (p_feedback).related_recommendation_id IS NULL
        ),
        (p_feedback).time_stamp
    )
    OFFSET 0
$$;
COMMENT ON FUNCTION yumai_pipelines.counting_time(analytics.user_feedback) IS
'A time of the month of the extracts in which a feedback counts.';

CREATE FUNCTION yumai_pipelines.note_feedback_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, feedback)
        SELECT min(f.counts_at), max(f.counts_at), count(*)
        FROM new_rows AS n
        CROSS JOIN LATERAL yumai_pipelines.counting_time(n::analytics.user_feedback) AS f (counts_at)
        GROUP BY date_trunc('day', f.counts_at, 'UTC');
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, feedback)
        SELECT min(f.counts_at), max(f.counts_at), count(*)
        FROM old_rows AS o
        CROSS JOIN LATERAL yumai_pipelines.counting_time(o::analytics.user_feedback) AS f (counts_at)
        GROUP BY date_trunc('day', f.counts_at, 'UTC');
    ELSE
        INSERT INTO yumai_pipelines.source_changes (first_time, last_time, feedback)
        SELECT min(f.counts_at), max(f.counts_at), count(DISTINCT coalesce(n.id, o.id))
        FROM old_rows AS o
        FULL JOIN new_rows AS n ON o.id = n.id
        CROSS JOIN LATERAL (
            SELECT was.counts_at
            FROM yumai_pipelines.counting_time(o::analytics.user_feedback) AS was (counts_at)
            WHERE o.id IS NOT NULL
            UNION ALL
            SELECT counting.counts_at
            FROM yumai_pipelines.counting_time(n::analytics.user_feedback) AS counting (counts_at)
            WHERE n.id IS NOT NULL
        ) AS f
        WHERE
            o.related_recommendation_id IS DISTINCT FROM n.related_recommendation_id
            OR yumai_pipelines.source_hash(o::analytics.user_feedback) IS DISTINCT FROM yumai_pipelines.source_hash(n::analytics.user_feedback)
        GROUP BY date_trunc('day', f.counts_at, 'UTC');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_feedback_changes() IS
'Trigger of the feedback: notes in source_changes what came, went, or changed in what the extracts read.';

CREATE FUNCTION yumai_pipelines.note_shop_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO yumai_pipelines.source_changes (shop_id) VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_shop_change() IS
'Trigger of the shops: notes in source_changes which one came, went, or changed in what the extracts say of it.';

CREATE FUNCTION yumai_pipelines.note_session_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO yumai_pipelines.source_changes (session_id) VALUES (NEW.session_id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_session_change() IS
'Trigger of the sessions: notes in source_changes which one changed in what the extracts say of it.';

CREATE FUNCTION yumai_pipelines.note_every_month() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO yumai_pipelines.source_changes (first_time, last_time)
    SELECT DISTINCT month.start, month.start
    FROM extracts.ledger AS l
    CROSS JOIN LATERAL (SELECT l.month::timestamp AT TIME ZONE yumai_pipelines.business_timezone() AS start) AS month
    WHERE l.purged_at IS NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_every_month() IS
'Notes in source_changes that every built month may have changed, so that each is built once more.';

CREATE FUNCTION yumai_pipelines.note_truncation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM yumai_pipelines.note_every_month();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION yumai_pipelines.note_truncation() IS
'Trigger of what the extracts are built from: notes in source_changes that every month has changed.';

-- Whatever session_replication_role says: a restore with it, or a program that sets it, changes the logs like any other.
CREATE TRIGGER note_inserts AFTER INSERT ON analytics.recommendations_log
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_recommendation_changes();
CREATE TRIGGER note_updates AFTER UPDATE ON analytics.recommendations_log
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_recommendation_changes();
CREATE TRIGGER note_deletes AFTER DELETE ON analytics.recommendations_log
REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_recommendation_changes();
CREATE TRIGGER note_truncation AFTER TRUNCATE ON analytics.recommendations_log
FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_truncation();
ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_inserts;
ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_updates;
ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_deletes;
ALTER TABLE analytics.recommendations_log ENABLE ALWAYS TRIGGER note_truncation;

CREATE TRIGGER note_inserts AFTER INSERT ON analytics.user_feedback
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_feedback_changes();
CREATE TRIGGER note_updates AFTER UPDATE ON analytics.user_feedback
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_feedback_changes();
CREATE TRIGGER note_deletes AFTER DELETE ON analytics.user_feedback
REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_feedback_changes();
CREATE TRIGGER note_truncation AFTER TRUNCATE ON analytics.user_feedback
FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_truncation();
ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_inserts;
ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_updates;
ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_deletes;
ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER note_truncation;

CREATE TRIGGER note_arrival AFTER INSERT OR DELETE ON chatbot.shops
FOR EACH ROW EXECUTE FUNCTION yumai_pipelines.note_shop_change();
CREATE TRIGGER note_change AFTER UPDATE OF shop_name, category, is_food_card_shop, is_good_influence_shop ON chatbot.shops
FOR EACH ROW
WHEN (
    (old.shop_name, old.category, old.is_food_card_shop, old.is_good_influence_shop)
    IS DISTINCT FROM (new.shop_name, new.category, new.is_food_card_shop, new.is_good_influence_shop)
)
EXECUTE FUNCTION yumai_pipelines.note_shop_change();
CREATE TRIGGER note_truncation AFTER TRUNCATE ON chatbot.shops
FOR EACH STATEMENT EXECUTE FUNCTION yumai_pipelines.note_truncation();
ALTER TABLE chatbot.shops ENABLE ALWAYS TRIGGER note_arrival;
ALTER TABLE chatbot.shops ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE chatbot.shops ENABLE ALWAYS TRIGGER note_truncation;

CREATE TRIGGER note_change AFTER UPDATE OF session_type, session_start ON chatbot.session_master
FOR EACH ROW
WHEN ((old.session_type, old.session_start) IS DISTINCT FROM (new.session_type, new.session_start))
EXECUTE FUNCTION yumai_pipelines.note_session_change();
ALTER TABLE chatbot.session_master ENABLE ALWAYS TRIGGER note_change;

ALTER TABLE extracts.ledger
ADD COLUMN as_of timestamptz,
ADD COLUMN built_because text NOT NULL DEFAULT 'not recorded by the version that built it',
ADD COLUMN late_recommendations bigint NOT NULL DEFAULT 0,
ADD COLUMN late_feedback bigint NOT NULL DEFAULT 0,
ADD COLUMN late_at timestamptz;
COMMENT ON COLUMN extracts.ledger.as_of IS
'The extract is of the logs as they were at this time; NULL where an older version built it.';
COMMENT ON COLUMN extracts.ledger.built_because IS 'Why the month was built, or built again.';
COMMENT ON COLUMN extracts.ledger.late_recommendations IS
'Recommendations of the month that came, changed or went after retention had deleted some of its rows. The month cannot be built again, so the extract is as before; each change counts.';
COMMENT ON COLUMN extracts.ledger.late_feedback IS 'The same of feedback that counts in the month.';
COMMENT ON COLUMN extracts.ledger.late_at IS 'When the last of these changes was found; NULL for none.';

-- What has changed since the months were built is not known up to here: each is built once more.
DO $$
BEGIN
    -- A new database has no month, nor the function that says the business's time zone, which is made after this.
    IF EXISTS (SELECT FROM extracts.ledger AS l) THEN
        PERFORM yumai_pipelines.note_every_month();
    END IF;
END
$$;

CREATE VIEW yumai_pipelines.changes_by_month AS
SELECT
    c.id,
    changed.month,
    c.recommendations,
    c.feedback,
    c.noted_at,
    c.changed_by
FROM yumai_pipelines.source_changes AS c
CROSS JOIN (
    -- As yumai_pipelines.business_timezone() says, which is made after this.
    SELECT coalesce(max(split_part(entry.setting, '=', 2)), 'Asia/Seoul') AS name
    FROM pg_db_role_setting AS d
    CROSS JOIN unnest(d.setconfig) AS entry (setting)
    WHERE
        d.setdatabase = (SELECT here.oid FROM pg_database AS here WHERE here.datname = current_database())
        AND d.setrole = 0
        AND lower(entry.setting) LIKE 'timezone=%'
) AS zone
CROSS JOIN LATERAL (
    SELECT date_trunc('month', moment.time AT TIME ZONE zone.name)::date AS month
    FROM (
        SELECT c.first_time AS time
        UNION ALL
        SELECT c.last_time
        UNION ALL
        SELECT r.time_stamp FROM analytics.recommendations_log AS r WHERE r.session_id = c.session_id
    ) AS moment
    -- No month that an extract can have is without these.
    WHERE moment.time >= '0001-01-02 00:00+00' AND moment.time < '9999-01-01 00:00+00'
    UNION
    SELECT o.month FROM extracts.recommendation_outcomes AS o WHERE o.shop_id = c.shop_id
    UNION
    SELECT p.month FROM extracts.shop_performance AS p WHERE p.shop_id = c.shop_id
) AS changed;
COMMENT ON VIEW yumai_pipelines.changes_by_month IS
'The months that each of source_changes is about. One row per note and month.';
COMMENT ON COLUMN yumai_pipelines.changes_by_month.id IS 'Number of the note.';
COMMENT ON COLUMN yumai_pipelines.changes_by_month.month IS 'First day of the month, in the business''s time zone.';
COMMENT ON COLUMN yumai_pipelines.changes_by_month.recommendations IS 'Recommendations that came, changed or went.';
COMMENT ON COLUMN yumai_pipelines.changes_by_month.feedback IS 'Feedback that came, changed or went.';
COMMENT ON COLUMN yumai_pipelines.changes_by_month.noted_at IS 'When.';
COMMENT ON COLUMN yumai_pipelines.changes_by_month.changed_by IS 'The transaction that changed it.';

CREATE VIEW extracts.changed_months AS
SELECT
    c.month,
    sum(c.recommendations)::bigint AS recommendations,
    sum(c.feedback)::bigint AS feedback,
    min(c.noted_at) AS changed_since
FROM yumai_pipelines.changes_by_month AS c
WHERE EXISTS (SELECT FROM extracts.ledger AS l WHERE l.month = c.month)
GROUP BY c.month;
COMMENT ON VIEW extracts.changed_months IS
'Months whose logs have changed since their extracts were built, and what changed. One row per month; none for a month whose extracts are of the logs as they are.';
COMMENT ON COLUMN extracts.changed_months.month IS 'First day of the month (Asia/Seoul).';
COMMENT ON COLUMN extracts.changed_months.recommendations IS 'Recommendations that came, changed or went since.';
COMMENT ON COLUMN extracts.changed_months.feedback IS
'Feedback that came, changed or went since. Where both are 0, a shop or a session changed that the month names.';
COMMENT ON COLUMN extracts.changed_months.changed_since IS 'When the first of it changed.';
