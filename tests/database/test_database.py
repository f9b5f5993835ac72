from __future__ import annotations

import pytest

from yumai_pipelines import database


def test_session_is_in_the_time_zone_of_the_business(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTZ", "America/New_York")
    with database.connect(server_url, application_name="test", role=None) as connection:
        assert connection.execute("SHOW TimeZone").fetchone() == ("Asia/Seoul",)
        assert connection.execute("SHOW application_name").fetchone() == ("test",)


def test_database_without_the_schema_is_named_as_such(server_url: str) -> None:
    with pytest.raises(database.SchemaMissingError, match="not installed"):
        database.connect(server_url, application_name="test", role="yumai_absent")


def test_older_server_is_refused(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OLDEST_SERVER", 99)
    with pytest.raises(database.UnsupportedServerError, match="needs 99 or newer"):
        database.connect(server_url, application_name="test", role=None)


def test_url_survives_awkward_characters() -> None:
    url = database.to_url(
        {"user": "a@b", "password": "p:/w", "host": "h", "port": 1, "dbname": "d e", "sslmode": "require"}
    )
    assert url == "postgresql://a%40b:p%3A%2Fw@h:1/d%20e?sslmode=require"
    assert database.with_database(url, "other").startswith("postgresql://a%40b:p%3A%2Fw@h:1/other")
