from __future__ import annotations

import pytest
from pydantic import ValidationError

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
