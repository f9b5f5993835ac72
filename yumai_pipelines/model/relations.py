"""The name of a table or view, as SQL, as text for `::regclass`, and as text for people."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql


@dataclass(frozen=True, order=True)
class Relation:
    """The schema and the name of a table or view."""

    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        """The name as SQL."""
        return sql.Identifier(self.schema, self.name)

    @property
    def quoted(self) -> str:
        """The name as text that `::regclass` reads."""
        return self.identifier.as_string(None)

    def __str__(self) -> str:
        """Return the name as text for people, such as `chatbot.conversations`."""
        return f"{self.schema}.{self.name}"
