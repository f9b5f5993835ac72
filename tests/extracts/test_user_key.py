"""The secret of the users' pseudonyms: where it comes from, and what happens without one."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from pydantic import SecretStr, ValidationError

from yumai_pipelines.defs.resources import RESOURCES, PostgresResource, UserKeys
from yumai_pipelines.extracts.user_key import FILE, UserKeySecretError, key_id, user_key_secret, user_key_secrets
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("YUMAI_USER_KEY_SECRET", "YUMAI_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YUMAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def user_keys(url: str | None = None) -> Iterator[UserKeys]:
    """Yield the resource of a run, on the database at this URL or on that of the environment."""
    with dg.build_resources({**RESOURCES, "postgres": PostgresResource(url=url)}) as resources:
        yield resources.user_keys


def test_the_embedded_server_keeps_a_secret_of_its_own(home: Path) -> None:
    with user_keys() as keys:
        assert not home.exists()
        secret = keys.secret
    assert len(secret.get_secret_value()) == 64
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600
    with user_keys() as keys:
        assert keys.secret == secret
    assert [each.name for each in home.iterdir()] == [FILE]


def test_whoever_comes_first_makes_it(home: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        secrets = list(threads.map(lambda _: user_key_secret(Settings(), embedded=True), range(32)))
    assert len({secret.get_secret_value() for secret in secrets}) == 1
    assert [each.name for each in home.iterdir()] == [FILE]


@pytest.mark.parametrize("where", ["environment", "resource"])
def test_a_database_of_ones_own_needs_one(where: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    url = "postgresql://somebody@elsewhere/yumai"
    if where == "environment":
        monkeypatch.setenv("YUMAI_DATABASE_URL", url)
    replaced = url if where == "resource" else None
    without = pytest.raises(UserKeySecretError, match=r"YUMAI_USER_KEY_SECRET is not set, .* `openssl rand -hex 32`")
    with user_keys(replaced) as keys, without:
        _ = keys.secret
    assert not home.exists()
    monkeypatch.setenv("YUMAI_USER_KEY_SECRET", "y" * 32)
    with user_keys(replaced) as keys:
        assert keys.secret == SecretStr("y" * 32)


def test_a_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_USER_KEY_SECRET", "hunter2")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert "at least 32" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_earlier_ones_are_known_and_the_embedded_servers_own_too(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    own = user_key_secret(Settings(), embedded=True)
    monkeypatch.setenv("YUMAI_USER_KEY_SECRET", "y" * 32)
    monkeypatch.setenv("YUMAI_PREVIOUS_USER_KEY_SECRETS", f'["{"a, b" * 8}", "{"y" * 32}"]')
    present, earlier = SecretStr("y" * 32), SecretStr("a, b" * 8)
    assert (home / FILE).exists()
    assert user_key_secrets(Settings(), embedded=True) == (present, earlier, own)
    with user_keys("postgresql://elsewhere") as keys:
        assert keys.all_secrets == (present, earlier)
    monkeypatch.delenv("YUMAI_USER_KEY_SECRET")
    with pytest.raises(UserKeySecretError, match="YUMAI_USER_KEY_SECRET is not set"):
        user_key_secrets(Settings(), embedded=False)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hunter2", "no JSON list"),
        ('["hunter2"]', "at least 32"),
        ('"hunter2"', "valid tuple"),
        ("[7777777]", "string"),
    ],
)
def test_earlier_ones_that_are_none_are_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("YUMAI_PREVIOUS_USER_KEY_SECRETS", value)
    with pytest.raises(ValidationError, match=said) as refusal:
        Settings()
    assert "hunter2" not in str(refusal.value)
    assert "7777777" not in str(refusal.value)


def test_its_fingerprint_tells_secrets_apart_and_not_what_they_are() -> None:
    one, other = SecretStr("x" * 32), SecretStr("y" * 32)
    assert key_id(one) == key_id(one) != key_id(other)
    assert len(key_id(one)) == 8
