"""Whatever a URL says about the place of the database reaches the server, and Dagster's storage, as it was said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine, make_url, text

from tests.support import free_port
from yumai_pipelines.dagster_storage import sqlalchemy_url
from yumai_pipelines.postgres.connections import connect, to_url, with_database

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WORDS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=8)
HOSTS = st.sampled_from(["db", "db-1.example.com", "127.0.0.1", "::1", "fe80::1", "/run/postgresql", "/tmp/a b", "@x"])
PORTS = st.integers(1, 65535).map(str)


@st.composite
def places(draw: st.DrawFn) -> dict[str, str]:
    """Parameters of a connection, as libpq takes them."""
    hosts = draw(st.lists(HOSTS, max_size=3))
    one_for_each = [str(number) for number in range(1, len(hosts) + 1)]
    ports = draw(st.one_of(st.just([]), st.lists(PORTS, min_size=1, max_size=1), st.just(one_for_each)))
    drawn = {"host": ",".join(hosts), "port": ",".join(ports)}
    for name in ("user", "password", "dbname", "service", "passfile", "options", "application_name"):
        drawn[name] = draw(st.one_of(st.just(""), WORDS))
    drawn["target_session_attrs"] = draw(st.sampled_from(["", "any", "read-write", "primary"]))
    drawn["sslmode"] = draw(st.sampled_from(["", "disable", "verify-full"]))
    return {name: value for name, value in drawn.items() if value}


@given(places())
def test_a_url_says_what_it_was_made_of(place: dict[str, str]) -> None:
    assert conninfo_to_dict(to_url(dict(place))) == place
    assert conninfo_to_dict(with_database(make_conninfo(**place), "other")) == {**place, "dbname": "other"}


@given(places())
def test_dagsters_storage_is_told_the_same(place: dict[str, str]) -> None:
    url = make_url(sqlalchemy_url(to_url(dict(place))))
    positional, given_to_driver = url.get_dialect()().create_connect_args(url)
    if commas := place.get("host", "").count(","):
        port = place.get("port", "")
        place = {**place, "port": port if "," in port else ",".join([port] * (commas + 1))}
    assert {name: str(value) for name, value in given_to_driver.items()} == place
    assert positional in ([], [""])


def of_several_hosts(url: str) -> str:
    parts = conninfo_to_dict(url)
    return to_url(
        {
            **parts,
            "host": f"127.0.0.1,{parts['host']}",
            "port": f"{free_port()},{parts['port']}",
            "target_session_attrs": "read-write",
        }
    )


def test_the_second_host_answers_where_the_first_does_not(database: str) -> None:
    url = of_several_hosts(database)
    with connect(with_database(url, "postgres"), application_name="test", role=None) as connection:
        assert connection.info.dbname == "postgres"
        assert str(connection.info.port) == conninfo_to_dict(database)["port"]
    engine = create_engine(sqlalchemy_url(url))
    with engine.connect() as alchemy:
        assert alchemy.execute(text("SELECT current_database()")).scalar() == conninfo_to_dict(database)["dbname"]
    engine.dispose()


def test_a_service_and_a_passfile_are_kept(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: str(value) for name, value in conninfo_to_dict(database).items()}
    passfile, services = tmp_path / "passfile", tmp_path / "services"
    passfile.write_text(f"*:*:*:*:{parts.pop('password')}\n")
    passfile.chmod(0o600)
    services.write_text("[yumai]\n" + "".join(f"{name}={value}\n" for name, value in parts.items()))
    monkeypatch.setitem(os.environ, "PGSERVICEFILE", str(services))
    url = f"postgresql://?service=yumai&passfile={passfile}"
    with connect(url, application_name="test") as connection:
        assert connection.info.dbname == parts["dbname"]
    with connect(with_database(url, "postgres"), application_name="test", role=None) as connection:
        assert connection.info.dbname == "postgres"
    engine = create_engine(sqlalchemy_url(url))
    with engine.connect() as alchemy:
        assert alchemy.execute(text("SELECT current_database()")).scalar() == parts["dbname"]
    engine.dispose()
