"""The secret with which the users' pseudonyms in the extracts are made. Analysts must not have it.

With the secret, anybody can tell from a user's id which rows of `recommendation_outcomes` are that user's.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING

from pydantic import SecretStr

from yumai_pipelines.local import files
from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from pathlib import Path

    from yumai_pipelines.settings import Settings

FILE = "user-key-secret"
"""The file with the secret, in the home of the embedded server; only the owner can read it."""


class UserKeySecretError(DatabaseError):
    """There is no secret for the user keys. Nothing was changed."""


def user_key_secret(settings: Settings, *, embedded: bool) -> SecretStr:
    """The secret in the settings; without one, for the embedded server, a secret that is created when first needed.

    Args:
        settings: the settings, which may have the secret.
        embedded: whether the database is the embedded server's.

    Raises:
        UserKeySecretError: no secret is set, and the database is not the embedded server's.
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
    """The present secret, then the known earlier ones, with which some months may have been built.

    Raises:
        UserKeySecretError: there is no present secret.
    """
    present = user_key_secret(settings, embedded=embedded)
    kept = settings.home / FILE
    own = (_kept_secret(kept),) if embedded and kept.exists() else ()
    return tuple(dict.fromkeys((present, *(settings.previous_user_key_secrets or ()), *own)))


def key_id(secret: SecretStr) -> str:
    """The fingerprint of a secret: shows whether two months were built with the same one, without revealing it."""
    return hmac.new(secret.get_secret_value().encode(), b"yumai user key", hashlib.sha256).hexdigest()[:8]


def _kept_secret(path: Path) -> SecretStr:
    """The secret in a file. The first process that needs it creates the file, in one atomic step."""
    if not path.exists():
        files.make_directory(path.parent)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        files.replace(draft, secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process has just created it
        finally:
            draft.unlink()
    return SecretStr(path.read_text())
