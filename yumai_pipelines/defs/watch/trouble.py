"""What a trouble is, and what a watch looks at. How people are told is in `telling`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yumai_pipelines.defs.watch.words import KOREAN
from yumai_pipelines.health.examination import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import dagster as dg


@dataclass(frozen=True)
class Trouble:
    """Something that people are to hear of.

    Attributes:
        kind: docs/operate.md has a section of this name.
        key: tells one trouble from another of its kind; the same trouble keeps its key while it lasts.
        subject: what is in trouble, by its name.
        what: what is wrong, as a sentence.
        remedy: what to do, as sentences.
        path: where Dagster's UI shows it, after the UI's URL.
        state: sick if it harms now, advice if it should be looked at some day.
        ends: whether it ends, so that people are told when it is over.
    """

    kind: str
    key: str
    subject: str
    what: str
    remedy: str
    path: str = ""
    state: State = State.SICK
    ends: bool = True

    @property
    def name(self) -> str:
        """The trouble's name in the memory of what was told."""
        return f"{self.kind}: {self.key}"

    @property
    def korean(self) -> str:
        """What is wrong, in Korean."""
        return KOREAN[self.kind].what.format(name=self.subject)

    @property
    def korean_remedy(self) -> str:
        """What to do, in Korean."""
        return KOREAN[self.kind].remedy


@dataclass(frozen=True)
class View:
    """What a watch looks at.

    Attributes:
        instance: Dagster's records.
        repository: what Dagster has loaded.
        now: the time.
        outages: when nobody looked, as pairs of times, of the last day.
    """

    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition
    now: datetime
    outages: tuple[tuple[datetime, datetime], ...] = field(default=())


@dataclass(frozen=True)
class Watch:
    """One kind of trouble, and what looks for it."""

    kind: str
    look: Callable[[View], Iterator[Trouble]]
