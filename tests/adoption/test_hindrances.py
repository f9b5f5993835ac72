"""What of theirs would end an adoption midway is refused before it begins, and what the refusal says helps."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.adoption.test_adoption import SETTINGS, adopted, catalogue, older
from tests.killed_runs import ADOPTED_AS_OF
from tests.support import every, one
from yumai_pipelines.adoption import NotToBeAdoptedError, UserRefusedError, adopt, inspect
from yumai_pipelines.adoption.inventory import UNDER_WAY
from yumai_pipelines.schema.differences import drift

if TYPE_CHECKING:
    from tests.conftest import Databases

COMMAND = re.compile(r"((?:ALTER|DROP) .+?)(?: until|,|;|\.$)")
"""The first command of a refusal."""

PLANTED = {
    "chatbot.orders_pkey is the name of something that the adoption makes: ALTER INDEX": (
        "CREATE TABLE chatbot.orders_before (id int CONSTRAINT orders_pkey PRIMARY KEY)"
    ),
    "chatbot.idx_session_master_active is the name": (
        "CREATE TABLE chatbot.other (id int); CREATE INDEX idx_session_master_active ON chatbot.other (id)"
    ),
    "RENAME TO conversations_2024_12_older; or attach it": (
        "CREATE TABLE chatbot.conversations_2024_12 (LIKE chatbot.conversations)"
    ),
    "ALTER TABLE extracts.shop_performance RENAME": (
        "CREATE SCHEMA extracts; CREATE TABLE extracts.shop_performance (id int)"
    ),
    "ALTER TABLE yumai_pipelines.quarantine RENAME": (
        "CREATE SCHEMA yumai_pipelines; CREATE TABLE yumai_pipelines.quarantine (id int)"
    ),
    "chatbot.order_status has the name of an enum of ours": "CREATE TYPE chatbot.order_status AS (a int)",
    r"chatbot.end_session\(uuid\) has the name of a function of ours": (
        "CREATE AGGREGATE chatbot.end_session(uuid) (SFUNC = array_append, STYPE = uuid[])"
    ),
    "public.coupons SET SCHEMA chatbot, if it holds these rows": "CREATE TABLE public.coupons (id int, memo text)",
    "column analytics.user_feedback.time_stamp_naive has a name that the adoption needs": (
        "ALTER TABLE analytics.user_feedback ADD time_stamp_naive text"
    ),
    "column analytics.user_feedback.yumai_time_stamp has a name": (
        "ALTER TABLE analytics.user_feedback ADD yumai_time_stamp text"
    ),
    "3 rows of analytics.user_feedback are against its check late": (
        "ALTER TABLE analytics.user_feedback ADD CONSTRAINT late CHECK (id > 3) NOT VALID"
    ),
    "References by shop_id of analytics.recommendations_log .* the check shop_or_late refuses": (
        "UPDATE analytics.recommendations_log SET shop_id = 777 WHERE id < 4; "
        "ALTER TABLE analytics.recommendations_log ADD CONSTRAINT shop_or_late CHECK (shop_id IS NOT NULL OR id > 3)"
    ),
    "the check who refuses them": (
        "UPDATE chatbot.users SET email = id || '@yumai.test'; "
        "ALTER TABLE chatbot.users ADD CONSTRAINT who CHECK (email IS NOT NULL)"
    ),
    "chatbot.by_email lets NULL stand in one row": (
        "CREATE UNIQUE INDEX by_email ON chatbot.users (email) NULLS NOT DISTINCT"
    ),
    "rule nobody of chatbot.users": "CREATE RULE nobody AS ON INSERT TO chatbot.users DO INSTEAD NOTHING",
    "analytics.feedback_of_2023 inherits from analytics.user_feedback": (
        "CREATE TABLE analytics.feedback_of_2023 () INHERITS (analytics.user_feedback)"
    ),
    "Policies hide rows of chatbot.users": (
        "ALTER TABLE chatbot.users ENABLE ROW LEVEL SECURITY; ALTER TABLE chatbot.users FORCE ROW LEVEL SECURITY"
    ),
    "chatbot.shops, which is unlogged": (
        "ALTER TABLE chatbot.menus DROP CONSTRAINT menus_shop_id_fkey; ALTER TABLE chatbot.shops SET UNLOGGED"
    ),
    "analytics.recommendations_log are identified for replication by analytics.by_time": (
        "UPDATE analytics.recommendations_log SET time_stamp = '2024-09-01' WHERE time_stamp IS NULL; "
        "ALTER TABLE analytics.recommendations_log ALTER time_stamp SET NOT NULL; "
        "CREATE UNIQUE INDEX by_time ON analytics.recommendations_log (id, time_stamp); "
        "ALTER TABLE analytics.recommendations_log REPLICA IDENTITY USING INDEX by_time"
    ),
    "ml_features.user_interactions is published by told, and nothing identifies its rows": (
        "ALTER TABLE ml_features.user_interactions DROP CONSTRAINT user_interactions_pkey CASCADE; "
        "CREATE PUBLICATION told FOR TABLES IN SCHEMA ml_features"
    ),
    "chatbot.conversations_2024_09 is published by rooted, and nothing": (
        "ALTER TABLE chatbot.conversations_2024_09 REPLICA IDENTITY NOTHING; "
        "CREATE PUBLICATION rooted FOR TABLE chatbot.conversations WITH (publish_via_partition_root = true)"
    ),
    "chatbot.menus is published by some_columns, and the columns": (
        "CREATE PUBLICATION some_columns FOR TABLE chatbot.menus (menu_name)"
    ),
    "chatbot.user_profiles is published by some_rows, and the columns": (
        "CREATE PUBLICATION some_rows FOR TABLE chatbot.user_profiles WHERE (user_id > 1)"
    ),
    r"public.keep, which an event trigger calls \(notes_all\), refuses .*: permission denied for table kept": (
        "CREATE TABLE public.kept (tag text); CREATE FUNCTION public.keep() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO public.kept VALUES (tg_tag); END$$; "
        "CREATE EVENT TRIGGER notes_all ON ddl_command_end EXECUTE FUNCTION public.keep()"
    ),
}


def plant(url: str, *scripts: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in (each for script in scripts for each in re.split(r"; (?!END)", script)):
            admin.execute(statement.encode())


def test_each_hindrance_is_told_before_anything_is_changed_and_what_is_told_helps(databases: Databases) -> None:
    with older(databases, "lost_keys") as (url, _):
        plant(url, *PLANTED.values())
        before = catalogue(url)
        refusals = inspect(url, SETTINGS).refusals
        missed = [each for each in PLANTED if not any(re.search(each, line) for line in refusals)]
        assert (missed, len(refusals)) == ([], len(PLANTED)), refusals
        with pytest.raises(NotToBeAdoptedError):
            adopted(url)
        assert catalogue(url) == before
        plant(url, "ALTER TABLE public.coupons DROP id", "ALTER TABLE public.coupons ADD id int")
        for line in refusals:
            command = COMMAND.search(line)
            assert command is not None, line
            plant(url, command[1])
        assert inspect(url, SETTINGS).refusals == ()
        adopted(url)
        with psycopg.connect(url, autocommit=True) as connection:
            assert [str(each) for each in drift(connection)] == []


def test_a_user_of_a_later_row_that_a_check_of_theirs_refuses_is_told_and_the_adoption_goes_on(
    databases: Databases,
) -> None:
    with older(databases) as (url, _):
        plant(url, "ALTER TABLE chatbot.users ADD CONSTRAINT no_zero CHECK (id <> 0)")
        plant(url, "ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_user_id_fkey")
        rows = iter(["INSERT INTO analytics.user_feedback (user_id, feedback_target_id) VALUES (0, '4711')"])

        def write(_: object) -> None:
            plant(url, *islice(rows, 1))

        with pytest.raises(UserRefusedError, match="its constraint no_zero"):
            adopt(url, SETTINGS, as_of=ADOPTED_AS_OF, tell=write)
        plant(url, "ALTER TABLE chatbot.users DROP CONSTRAINT no_zero")
        assert adopted(url).shape == UNDER_WAY
        with psycopg.connect(url, autocommit=True) as connection:
            assert one(connection, "SELECT user_id FROM analytics.user_feedback WHERE feedback_target_id = '4711'") == 0
            assert [str(each) for each in drift(connection)] == []


HARMLESS = (
    "CREATE PUBLICATION everything FOR ALL TABLES",
    "CREATE PUBLICATION some_rows FOR TABLE chatbot.menus (id, menu_name) WHERE (id > 1)",
    "CREATE PUBLICATION new_rows FOR TABLE chatbot.shops (shop_name) WITH (publish = 'insert')",
    "ALTER TABLE chatbot.shops ALTER category TYPE varchar(20)",
    "CREATE POLICY narrow ON chatbot.shops USING (category <> 'secret')",
    "ALTER TABLE chatbot.menus ADD loud text GENERATED ALWAYS AS (upper(menu_name)) STORED",
    'ALTER TABLE chatbot.users ADD "a.b ""c" int',
    'CREATE TABLE chatbot."Odd.Table" (id int REFERENCES chatbot.users (id) ON DELETE CASCADE)',
    "CREATE UNIQUE INDEX by_nickname ON chatbot.users (nickname)",
    "ALTER TABLE analytics.recommendations_log ADD CHECK (shop_id IS NOT NULL)",
    "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'nobody else'; END$$",
    "CREATE TRIGGER only_ours BEFORE INSERT ON chatbot.users FOR EACH ROW EXECUTE FUNCTION public.refuse()",
    "CREATE FUNCTION public.budget() RETURNS text LANGUAGE plpgsql AS "
    "$$BEGIN RETURN (SELECT max(request_budget) FROM analytics.recommendations_log); END$$",
    "CREATE TRIGGER late BEFORE UPDATE OF request_budget ON analytics.recommendations_log FOR EACH ROW "
    "EXECUTE FUNCTION public.refuse()",
    "ALTER TABLE chatbot.shops RENAME CONSTRAINT shops_pkey TO key_of_shops",
    "ALTER TABLE chatbot.conversations RENAME CONSTRAINT conversations_pkey TO key_of_turns",
    "ALTER INDEX chatbot.idx_shops_name_trgm RENAME TO by_name",
    "CREATE TABLE public.noted (tag text)",
    "CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS "
    "$$BEGIN INSERT INTO public.noted VALUES (tg_tag); END$$",
    "CREATE EVENT TRIGGER notes ON ddl_command_end EXECUTE FUNCTION public.note()",
    "CREATE SCHEMA backup",
    "CREATE TABLE backup.orders (id int)",
)


def test_what_only_looks_like_a_hindrance_is_none(databases: Databases) -> None:
    with older(databases, "lost_keys") as (url, _):
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("UPDATE chatbot.users SET nickname = id")
            admin.execute("UPDATE analytics.recommendations_log SET user_id = 990 + id, shop_id = 777 WHERE id < 4")
            admin.execute("UPDATE analytics.recommendations_log SET shop_id = 1 WHERE shop_id IS NULL")
            admin.execute("ALTER TABLE analytics.recommendations_log ALTER request_budget TYPE text")
            for statement in HARMLESS:
                admin.execute(statement.encode())
        inventory = inspect(url, SETTINGS)
        assert inventory.refusals == ()
        assert inventory.readers == (
            "public.budget(): analytics.recommendations_log.request_budget",
            "trigger late on table analytics.recommendations_log: analytics.recommendations_log.request_budget",
        )
        assert "chatbot.users: only_ours" in inventory.silent
        made = {each.ruling.difference.object: each.reason for each in inventory.foretold}
        assert "ALTER TABLE backup.orders SET SCHEMA chatbot first" in made["relation chatbot.orders"]
        for name in ("constraint chatbot.shops.shops_pkey", "constraint chatbot.conversations.conversations_pkey"):
            assert made[name] == made["index chatbot.idx_shops_name_trgm"] == "is there under another name, and renamed"
        assert "sent as text" in made["column analytics.recommendations_log.request_budget"]
        assert "may not be emptied" in made["constraint analytics.recommendations_log.recommendations_log_shop_id_fkey"]
        adopted(url)
        with psycopg.connect(url, autocommit=True) as admin:
            assert [str(each) for each in drift(admin)] == []
            names = every(admin, "SELECT nickname FROM chatbot.users WHERE external_user_id LIKE 'recovered:%'")
            assert len(names) > 2
            assert one(admin, "SELECT count(*) FROM analytics.recommendations_log WHERE shop_id = 777") == 3
            with pytest.raises(psycopg.errors.DatatypeMismatch):
                admin.execute("UPDATE analytics.recommendations_log SET request_budget = '1'::text")
            admin.execute("UPDATE analytics.recommendations_log SET request_budget = '1'")
