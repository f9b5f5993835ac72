"""The secret under which users get their pseudonyms in the extracts. Analysts must not have it.

Whoever has it can tell from a user's id which rows of `recommendation_outcomes` are theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING

from pydantic import SecretStr

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from pathlib import Path

    from yumai_pipelines.settings import Settings

FILE = "user-key-secret"
"""Below the home of the embedded server, readable by its owner alone."""


class UserKeySecretError(DatabaseError):
    """There is no secret for the user keys. Nothing was changed."""


def user_key_secret(settings: Settings, *, embedded: bool) -> SecretStr:
    """The secret of the settings; for the embedded server, one that is made when it is first needed.

    Args:
        settings: where it stands.
        embedded: whether the database is the embedded server's.

    Raises:
        UserKeySecretError: none is set, and the database is somebody's own.
    """
    if settings.user_key_secret is not None:
        return settings.user_key_secret
    if not embedded:
        raise UserKeySecretError(
            "YUMAI_USER_KEY_SECRET is not set, so the extracts have no pseudonyms for users. Set it to 32 characters "
            "or more that nobody can guess, such as the output of `openssl rand -hex 32`, and keep it: under another "
            "one, the same user gets another key."
        )
    return _kept_secret(settings.home / FILE)


def user_key_secrets(settings: Settings, *, embedded: bool) -> tuple[SecretStr, ...]:
    """The present secret, and the earlier ones that are known, under which months may still have been built.

    Raises:
        UserKeySecretError: there is no present one.
    """
    present = user_key_secret(settings, embedded=embedded)
    kept = settings.home / FILE
    own = (_kept_secret(kept),) if embedded and kept.exists() else ()
    return tuple(dict.fromkeys((present, *(settings.previous_user_key_secrets or ()), *own)))


def key_id(secret: SecretStr) -> str:
    """The secret's fingerprint: tells whether two months were built under the same one, and nothing about it."""
    return hmac.new(secret.get_secret_value().encode(), b"yumai user key", hashlib.sha256).hexdigest()[:8]


def _kept_secret(path: Path) -> SecretStr:
    """The secret in a file; made, whole or not at all, by whoever comes first."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # somebody was quicker
        finally:
            draft.unlink()
    return SecretStr(path.read_text())
