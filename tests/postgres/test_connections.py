from __future__ import annotations

import pytest

from yumai_pipelines.postgres import connections
from yumai_pipelines.postgres.errors import SchemaMissingError, UnsupportedServerError


def test_session_is_in_the_time_zone_of_the_business(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTZ", "America/New_York")
    with connections.connect(server_url, application_name="test", role=None) as connection:
        assert connection.execute("SHOW TimeZone").fetchone() == ("Asia/Seoul",)
        assert connection.execute("SHOW application_name").fetchone() == ("test",)


def test_database_without_the_schema_is_named_as_such(server_url: str) -> None:
    with pytest.raises(SchemaMissingError, match="not installed"):
        connections.connect(server_url, application_name="test", role="yumai_absent")


def test_older_server_is_refused(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "OLDEST_SERVER", 99)
    with pytest.raises(UnsupportedServerError, match="needs 99 or newer"):
        connections.connect(server_url, application_name="test", role=None)


def test_url_survives_awkward_characters() -> None:
    url = connections.to_url(
        {"user": "a@b", "password": "p:/w", "host": "h", "port": 1, "dbname": "d e", "sslmode": "require"}
    )
    assert url == "postgresql://a%40b:p%3A%2Fw@h:1/d%20e?sslmode=require"
    assert connections.with_database(url, "other").startswith("postgresql://a%40b:p%3A%2Fw@h:1/other")
