from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.processes import finished
from yumai_pipelines.archives.store import ArchiveError, Store
from yumai_pipelines.defs.months import monthly
from yumai_pipelines.defs.watch.telling import targets_of
from yumai_pipelines.model.calendar import latest_month
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import with_database
from yumai_pipelines.postgres.replicas import replica_of
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from tests.support import Connection


def test_environment_sets_each_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_FIRST_MONTH", "2025-01")
    monkeypatch.setenv("YUMAI_LOCK_TIMEOUT_MS", "50")
    settings = Settings()
    assert settings.first.suffix == "2025_01"
    assert settings.lock_policy.lock_timeout.total_seconds() == 0.05


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("YUMAI_TIMEZONE", "Asia/Soul", "try Asia/Seoul"),
        ("YUMAI_TIMEZONE", "localtime", "name the zone of the business"),
        ("YUMAI_TIMEZONE", "posixrules", "zone"),
        ("YUMAI_LEGACY_TIMEZONE", "right/Asia/Seoul", "zone"),
        ("YUMAI_FIRST_MONTH", "August", "write YYYY-MM"),
        ("YUMAI_LOCK_TIMEOUT_MS", "5000", "less than or equal to 900"),
        ("YUMAI_TIMEZONE", "America", "'America' is no IANA time zone; try America/"),
        ("YUMAI_TIMEZONE", "tzdata.zi", "is no IANA time zone"),
        ("YUMAI_LEGACY_TIMEZONE", "a" * 5000, "try Asia/Seoul"),
        ("YUMAI_LOCK_PATIENCE_S", "inf", "finite number"),
        ("YUMAI_LOCK_PATIENCE_S", "nan", "finite number"),
        ("YUMAI_LOCK_PATIENCE_S", "1e300", "less than or equal to 604800"),
        ("YUMAI_EXTRACTS_URL", "extracts", "it is a relative directory"),
        ("YUMAI_REPLICA_URL", "replica:5432", "as in postgresql://"),
        ("YUMAI_REPLICA_LAG_S", "0", "greater than 0"),
        ("YUMAI_SOFT_REFERENCE_TOLERANCE", "NaN", "finite number"),
        ("YUMAI_ARCHIVE_URL", "archive", "it is a relative directory"),
        ("YUMAI_REPORT_URL", "./reports", "it is a relative directory"),
        ("YUMAI_EXTRACTS_URL", "~nobody-of-this-name/x", "the home of somebody who has none"),
        ("YUMAI_HOME", "~nobody-of-this-name/x", "the home of somebody who has none"),
        ("YUMAI_ARCHIVE_URL", "sftp://mina:s3cret@files/archive", "it has a password"),
        ("YUMAI_UI_URL", "https://x:999999", "look at its host and its port"),
        ("YUMAI_FIRST_MONTH", "1969-12", "no history begins before 1970-01"),
        ("YUMAI_MIN_GROUP_USERS", "9" * 20, "less than or equal to"),
        ("YUMAI_SESSION_DAYS", "9" * 20, "less than or equal to"),
        ("YUMAI_HISTORY_DAYS", "9" * 20, "less than or equal to"),
        ("YUMAI_SOFT_REFERENCE_TOLERANCE", "1e-999999", "decimal places"),
        ("YUMAI_PREVIOUS_USER_KEY_SECRETS", "[" * 100_000, "it is no JSON list"),
        ("YUMAI_DATABSE_URL", "postgresql:///x", "there is no setting of this name; YUMAI_DATABASE_URL is the nearest"),
        ("YUMAI_LOCK_TIMEOUT", "100", "YUMAI_LOCK_TIMEOUT_MS is the nearest"),
        ("YUMAI_", "1", "there is no setting of this name"),
    ],
)
def test_bad_value_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=said):
        Settings()


ODD = [
    *("0", "-0", "-1", "1", "2", "30", " 7 ", "1e3", "1_000", "0x10", "007", "\u0661\u0662", "1.0", "1.5", "0.001"),
    *("+1", "1/2", "nan", "sNaN", "inf", "-Infinity", "1e400", "1e-400", "1E-999999", "9" * 20, "9" * 5000),
    *("true", "yes", "off", "None", "null", "[]", "{}", '"x"', '["a"]', "[null]", f'["{"x" * 32}"]', "[" * 100_000),
    *(
        "/",
        "/tmp/x",
        "~",
        "~/x",
        "~nobody-of-this-name",
        "x",
        "./x",
        "-",
        "*",
        "%s",
        "$HOME",
        "\udcff",
        "한글 🍜",
        "a\nb",
    ),
    *("://", "x://", "file:///tmp/x", "file://host/x", "s3://b/p", "memory://x", "sftp://u:s3cret@h/x", "http://[::1"),
    *("http://x", "https://x:99999", "https://x/y", "a://b c://d", "mailtos://u:s3cret@h", "slack://", "javascript:x"),
    *("postgresql://", "postgresql://u:s3cret@h:99999/d", "postgresql://[::1/d", "mysql://x/y", "host=x port=y"),
    *("service=none", "postgresql://u:%zz@h/d", "postgresql://h/d?nonsense=1", "postgresql://h1,h2:1,2/d", "x" * 5000),
    *("2024-08", "2024-13", "0001-01", "1970-01", "9998-12", "9999-12", "2024-8", "２０２４-08", "2024-08-01", "UTC"),
    *("asia/seoul", "America", "../UTC", "/etc/localtime", "EST5EDT", "Etc/GMT+12", "Factory", "Pacific/Apia"),
]
"""Values that are nonsense for most settings, and edges of what some take."""
SECRET = ("_url", "_urls", "_secret", "_secrets")
"""How the names of settings end that may hold passwords."""

TEXTS = st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_whatever_a_setting_says_is_refused_or_can_be_used(connection: Connection, field: str) -> None:
    """Each is given what is odd for any of them; what is accepted is used for what it is for."""

    @settings(deadline=None, max_examples=8, database=None, derandomize=True)
    @given(value=TEXTS)
    def give(value: str) -> None:
        refusal = None
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(f"YUMAI_{field.upper()}", value)
            try:
                accepted = Settings()
            except ValidationError as error:
                refusal, accepted = error, None
        if field.endswith(SECRET):
            assert "s3cret" not in f"{refusal}{accepted!r}"
        if accepted is not None:
            use(accepted, connection)

    for value in ODD:
        give = example(value=value)(give)
    give()


def use(accepted: Settings, connection: Connection) -> None:
    """Hand the settings to whoever takes them: that is refused in a message, or works."""
    at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert latest_month(at, accepted.zone, accepted.session_days) < Month.of(at, accepted.zone)
    assert at - timedelta(days=accepted.history_days) < at
    assert accepted.archives_before_purge in {True, False}
    for last in (0, accepted.months_ahead):
        monthly(accepted, last).get_partition_keys(current_time=at)
    for place in (accepted.archive, accepted.reports):
        with suppress(ArchiveError):
            Store.at(place)
    for url in (accepted.database_url, accepted.dagster_url, accepted.replica_url):
        with_database(url.get_secret_value() if url else "", "another")
    if (replica := replica_of(accepted)) is not None:
        assert replica.conninfo
    for target in targets_of(accepted.alert_urls or ()):
        assert target.is_understood in {True, False}
    parameters = {
        "lock_timeout": f"{accepted.lock_policy.lock_timeout / timedelta(milliseconds=1):g}ms",
        "days": accepted.session_days,
        "users": accepted.min_group_users,
        "share": accepted.soft_reference_tolerance,
        "zones": [accepted.timezone, accepted.legacy_timezone],
    }
    connection.execute(
        "SELECT set_config('lock_timeout', %(lock_timeout)s, false), now() - make_interval(days => %(days)s), "
        "%(users)s::int, %(share)s::numeric, (SELECT max(now() AT TIME ZONE z) FROM unnest(%(zones)s::text[]) AS z)",
        parameters,
    )


def test_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_DATABASE_URL", "postgresql://u:s3cret@localhost/yumai")
    assert "s3cret" not in repr(Settings())
    monkeypatch.setenv("YUMAI_DATABASE_URL", "postgres//u:s3cret@localhost/yumai")
    with pytest.raises(ValidationError, match="as in postgresql://") as refusal:
        Settings()
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_an_empty_variable_is_refused(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    for empty in ("", " "):
        monkeypatch.setenv(f"YUMAI_{field.upper()}", empty)
        with pytest.raises(ValidationError, match="it is empty; give it a value, or unset it") as refusal:
            Settings()
        assert [error["loc"] for error in refusal.value.errors()] == [(field,)]


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "YUMAI_HOME": "",
        "YUMAI_TIMEZONE": "Europe",
        "YUMAI_MONTHS_AHEAD": "99",
        "YUMAI_MONTH_AHEAD": "3",
        "YUMAI_DATABASE_URL": "postgres//u:s3cret@localhost/yumai",
        "YUMAI_PASSWORD": "s3cret",
        "YUMAI_PREVIOUS_USER_KEY_SECRETS": '["too short {s3cret}"]',
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert {f"YUMAI_{str(error['loc'][0]).upper()}" for error in refusal.value.errors()} == set(wrong)
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in repr(refusal.value.errors())


def test_variables_of_the_tests_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_TEST_POSTGRES", "embedded")
    monkeypatch.setenv("YUMAI_CHROMIUM", "/usr/bin/chromium")
    assert Settings().timezone == "Asia/Seoul"


OF_A_WORKER = {
    "YUMAI_WORKER": "true",
    "YUMAI_DATABASE_URL": "postgresql://yumai@db/yumai",
    "YUMAI_USER_KEY_SECRET": "of the tests, which nobody has to guess",
    "YUMAI_ARCHIVE_URL": "s3://yumai/archive",
    "YUMAI_REPORT_URL": "s3://yumai/reports",
}


def test_a_worker_that_is_told_every_place_works(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_A_WORKER.items():
        monkeypatch.setenv(name, value)
    assert Settings().worker
    monkeypatch.setenv("YUMAI_ARCHIVE_URL", "file:///mnt/archive")
    assert Settings().worker


def test_a_worker_needs_what_other_hosts_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_WORKER", "true")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    wrong = {f"YUMAI_{str(error['loc'][0]).upper()}": error["msg"] for error in refusal.value.errors()}
    assert set(wrong) == set(OF_A_WORKER) - {"YUMAI_WORKER"}
    assert "it starts no embedded server" in wrong["YUMAI_DATABASE_URL"]


def test_a_worker_keeps_nothing_in_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OF_A_WORKER, "YUMAI_ARCHIVE_URL": "/var/archive"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match="which the other hosts do not have"):
        Settings()
    monkeypatch.delenv("YUMAI_WORKER")
    assert Settings().archive == "/var/archive"


def test_a_worker_starts_no_embedded_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a command nor a run does: settings without a server are refused before anything is made."""
    monkeypatch.setenv("YUMAI_WORKER", "true")
    monkeypatch.setenv("YUMAI_HOME", str(tmp_path / "home"))
    refused = finished([str(Path(sys.executable).parent / "yumai"), "up"])
    assert refused.returncode == 1
    assert "it starts no embedded server" in refused.stderr
    assert not (tmp_path / "home").exists()
