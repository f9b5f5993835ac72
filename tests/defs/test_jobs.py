"""The jobs that people start by hand: their configuration, what they do, and what they report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg

from tests.extracts.dirt import plant
from tests.extracts.oracle import differences, expected, extracted
from tests.extracts.support import MONTHS, ZONE
from tests.graph import months
from tests.support import Connection, every, one
from yumai_pipelines.defs.integrity.checks import FOREIGN_KEYS, NO_ORPHANS
from yumai_pipelines.extracts.ledger import entries
from yumai_pipelines.model.registry import EXTRACTS

if TYPE_CHECKING:
    from tests.graph import Graph

FEEDBACK = dg.AssetKey(["analytics", "user_feedback"])
ORPHAN = """
    INSERT INTO users (external_user_id) VALUES ('kakao:secret');
    SET session_replication_role = replica;
    INSERT INTO user_feedback (session_id, user_id) VALUES ('00000000-0000-0000-0000-000000000001', 1);
    RESET session_replication_role;
"""


def observed(graph: Graph) -> list[str | None]:
    """Return the observations of the feedback table, the latest first."""
    records = graph.instance.fetch_observations(FEEDBACK, limit=10).records
    return [each.asset_observation.description for each in records if each.asset_observation]


def test_repair_is_a_dry_run_unless_told_otherwise(graph: Graph, connection: Connection) -> None:
    connection.execute(ORPHAN)

    dry = graph.run("repair_orphans")

    assert (dry.told()["dry_run"], dry.told()["found"]) == (True, 1)
    assert observed(graph) == [
        "user_feedback_session_id_fkey: rows of analytics.user_feedback that name no row of chatbot.session_master: 1 ("
        "id 1, session_id 00000000-0000-0000-0000-000000000001). Give a session again: not done, this is a dry run."
    ]
    assert graph.check("analytics", "user_feedback", NO_ORPHANS).failed_checks()

    wet = graph.run("repair_orphans", dry_run=False)

    assert str(observed(graph)[0]).endswith("Give a session again: 1 sessions recovered for analytics.user_feedback.")
    assert one(connection, "SELECT session_metadata ->> 'run' FROM session_master") == wet.outcome.run_id
    for check in (NO_ORPHANS, FOREIGN_KEYS):
        assert graph.check("analytics", "user_feedback", check).failed_checks() == set()
    assert graph.run("repair_orphans", dry_run=False).told()["found"] == 0


def test_orphans_go_to_quarantine_when_the_config_says_so(graph: Graph, connection: Connection) -> None:
    connection.execute(ORPHAN)
    graph.run("repair_orphans", dry_run=False, orphans="QUARANTINE")
    assert every(connection, "SELECT source_key FROM yumai_pipelines.quarantine") == [({"id": 1},)]


def test_a_user_is_erased_and_the_run_says_what_it_did(graph: Graph, connection: Connection) -> None:
    connection.execute("INSERT INTO users (external_user_id) VALUES ('kakao:secret')")
    assert not graph.run("erase_user", user_id=1, reason="kakao:secret asked").success
    assert not graph.run("erase_user", user_id=1, reason="kakao:secret asked", dry_run=False).success
    dry = graph.run("erase_user", external_user_id="kakao:secret", reason="asked for")
    assert dry.told() == {"dry_run": True, "chatbot.users": 1, "extracts": "none counts the person"}
    assert one(connection, "SELECT count(*) FROM users") == 1
    run = graph.run("erase_user", external_user_id="kakao:secret", reason="asked for by their guardian", dry_run=False)
    assert run.told() == {"chatbot.users": 1, "extracts": "No extract counts the person."}
    assert every(connection, "SELECT reason, run_id FROM yumai_pipelines.erasures") == [
        ("asked for by their guardian", run.outcome.run_id)
    ]
    assert not graph.run("erase_user", external_user_id="kakao:secret", reason="asked for again", dry_run=False).success


def test_an_erasure_and_a_repair_end_with_the_extracts_right_again(graph: Graph, connection: Connection) -> None:
    plant(connection, MONTHS, ZONE, rows=80, seed=3)
    assert graph.run("monthly_extracts", months("2024-11", "2025-02")).success

    def differing() -> list[str]:
        wanted = expected(connection, MONTHS, ZONE, os.environ["YUMAI_USER_KEY_SECRET"])
        return [
            told
            for extract in EXTRACTS
            for told in differences(extracted(connection, extract), wanted[extract.relation.name], extract.key)
        ]

    assert differing() == []
    (user,) = every(connection, "SELECT user_id FROM recommendations_log WHERE user_id IS NOT NULL LIMIT 1")
    assert graph.run("erase_user", user_id=user[0], reason="asked for by their guardian", dry_run=False).success
    assert differing() == []
    connection.execute(
        "SET session_replication_role = replica; DELETE FROM session_master WHERE session_id IN "
        "(SELECT session_id FROM recommendations_log WHERE time_stamp >= '2024-12-03' LIMIT 3); "
        "RESET session_replication_role"
    )
    dry = graph.run("repair_orphans")
    assert (dry.success, differing() == []) == (True, False)
    assert graph.run("repair_orphans", dry_run=False, orphans="QUARANTINE").success
    assert differing() == []
    assert {each.built_because for each in entries(connection, MONTHS).values()} != {"it was never built"}
