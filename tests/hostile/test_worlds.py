"""The whole life of a database in worlds that are not ours: what is left is what is left of an undisturbed twin.

By default one world is drawn, the same each time, with a case of every kind; `make faults` draws many, and seeks a
small one of those that fail.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import worlds
from tests.hostile.life import live, rows_of
from tests.hostile.test_settings import some
from tests.hostile.worlds import busy, disk, odd_rows, plant_odd, remove_odd
from yumai_pipelines.model.registry import TABLE_ENTRIES

if TYPE_CHECKING:
    from tests.conftest import Databases
    from tests.hostile.life import Life

TABLES = [str(entry.relation) for entry in TABLE_ENTRIES]


@pytest.mark.xdist_group("lives")
@pytest.mark.usefixtures("_environment")
def test_the_whole_life_is_the_same_in_every_world(
    databases: Databases,
    world: str,
    undisturbed: Life,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> None:
    lives = pytestconfig.getoption("lives")
    with psycopg.connect(databases.url(world), autocommit=True) as admin:
        values = worlds.values_of_columns(admin)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "login": worlds.LOGINS,
        "clients": worlds.CLIENT_SETS,
        "network": st.sampled_from(sorted(worlds.NETWORKS)),
        "files": worlds.FILES,
        "disk": st.sampled_from(["full", "read-only"]),
        "values": values,
    }

    simplest = iter([True])

    @some(lives, more=1)
    @given(drawn=st.fixed_dictionaries(kinds) if lives == 1 else st.fixed_dictionaries({}, optional=kinds))
    def live_in(drawn: dict[str, Any]) -> None:
        if next(simplest, False):  # Hypothesis begins with what is hardly hostile.
            return
        directory = tmp_path_factory.mktemp("life")
        with (
            databases.clone(world) as url,
            psycopg.connect(url, autocommit=True) as admin,
            pytest.MonkeyPatch.context() as environment,
            ExitStack() as around,
            dg.DagsterInstance.ephemeral() as own,
        ):
            place = around.enter_context(drawn["files"].at(directory)) if "files" in drawn else directory / "archive"
            environment.setenv("YUMAI_ARCHIVE_URL", str(place))
            trouble = around.enter_context(disk(place)).trouble(drawn["disk"]) if "disk" in drawn else None
            person = plant_odd(admin, drawn["values"]) if "values" in drawn else None
            before = odd_rows(admin, person)
            login = around.enter_context(drawn["login"].at(admin, url)) if "login" in drawn else url
            if "network" in drawn:
                login = around.enter_context(worlds.NETWORKS[drawn["network"]](login))
            if "clients" in drawn:
                around.enter_context(busy(url, drawn["clients"]))
            life = live(login, admin, own, directory, trouble)
            assert life.failed == {}
            assert odd_rows(admin, person) == before
            if person is None:
                assert life.left == undisturbed.left
            else:
                remove_odd(admin, person)
                left = rows_of(admin)
                assert {table: left[table] for table in TABLES} == {table: undisturbed.left[table] for table in TABLES}

    live_in()
