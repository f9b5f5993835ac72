from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.processes import finished
from yumai_pipelines.settings import Settings


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
