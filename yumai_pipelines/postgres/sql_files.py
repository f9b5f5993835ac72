"""Finds the .sql files, which are in `sql/` of a checkout or of the installed package. No other code knows this."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def sql_path(*parts: str) -> Path:
    """Return the path of a file or directory below `sql/`.

    Raises:
        FileNotFoundError: there is no such file or directory.
    """
    for root in (_PACKAGE / "sql", _PACKAGE.parent / "sql"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"sql/{'/'.join(parts)} is neither in the package nor in the checkout beside it")


def read_sql(*parts: str) -> str:
    """Read the text of a file below `sql/`."""
    return sql_path(*parts).read_text(encoding="utf-8")
