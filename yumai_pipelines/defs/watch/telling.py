"""Tells people of troubles by Apprise, in English and in Korean, each once until it is over or a day has passed.

What was told to whom is kept in a memory, which is the cursor of a sensor. A target that could not be reached is told
at the next look. The memory holds no URL, since URLs have passwords in them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from apprise import Apprise, NotifyFormat, NotifyType

from yumai_pipelines.defs.watch.words import OVER, WHAT_TO_DO
from yumai_pipelines.health.examination import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import SecretStr

    from yumai_pipelines.defs.watch.trouble import Trouble

AGAIN_AFTER = timedelta(days=1)
"""So long after it was told, a trouble that lasts is told again."""

RUNBOOK = "docs/operate.md"


@dataclass
class Told:
    """A trouble that was told: what it was, whether it ends, when each target heard of it, and what it is in Korean."""

    what: str
    ends: bool
    at: dict[str, float] = field(default_factory=dict)
    korean: str = ""


@dataclass
class Memory:
    """What was told to whom, when somebody looked last, and since when a target cannot be reached.

    Attributes:
        told: by the troubles' names.
        looked: the time of the last look.
        outages: times between which nobody looked, of the last day.
        unreachable: since when each target could not be reached, by the target's number in YUMAI_ALERT_URLS.
    """

    told: dict[str, Told] = field(default_factory=dict)
    looked: float | None = None
    outages: list[tuple[float, float]] = field(default_factory=list)
    unreachable: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """Read the memory from a sensor's cursor; there is none at first."""
        if cursor is None:
            return cls()
        content = json.loads(cursor)
        told = {name: Told(**each) for name, each in content.pop("told").items()}
        spans = [(start, end) for start, end in content.pop("outages")]
        return cls(told=told, outages=spans, **content)

    def written(self) -> str:
        """The memory as a cursor."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def notice(self, now: datetime, longest: timedelta) -> None:
        """Note that somebody looks now, and an outage if the last look was too long ago."""
        if self.looked is not None and now.timestamp() - self.looked > longest.total_seconds():
            self.outages.append((self.looked, now.timestamp()))
        self.looked = now.timestamp()
        self.outages = [span for span in self.outages if now.timestamp() - span[1] < AGAIN_AFTER.total_seconds()]


@dataclass(frozen=True)
class Target:
    """Somebody who is told, by a URL of Apprise.

    Attributes:
        number: its place in YUMAI_ALERT_URLS, from 1, by which messages name it.
        url: with passwords.
    """

    number: int
    url: SecretStr

    @property
    def name(self) -> str:
        """What the memory calls it: nothing of its URL can be found out from it."""
        return sha256(self.url.get_secret_value().encode()).hexdigest()[:12]

    @property
    def is_understood(self) -> bool:
        """Whether Apprise knows such URLs."""
        return bool(Apprise().add(self.url.get_secret_value()))

    def send(self, title: str, body: str, kind: NotifyType) -> bool:
        """Send a message, and return whether it was taken."""
        sender = Apprise()
        sender.add(self.url.get_secret_value())
        return bool(sender.notify(body=body, title=title, notify_type=kind, body_format=NotifyFormat.TEXT))


def targets_of(urls: Sequence[SecretStr]) -> list[Target]:
    """The targets of YUMAI_ALERT_URLS."""
    return [Target(number, url) for number, url in enumerate(urls, 1)]


def tell(
    troubles: Iterable[Trouble], targets: Sequence[Target], memory: Memory, now: datetime, ui_url: str | None
) -> list[str]:
    """Tell each target what it has not heard, and what is over; note it in the memory.

    Returns:
        What was done, as sentences that name no URL.
    """
    present = {each.name: each for each in troubles}
    done = []
    for target in targets:
        new = [each for name, each in present.items() if _is_due(memory, name, target, now)]
        over = [
            each for name, each in memory.told.items() if name not in present and each.ends and target.name in each.at
        ]
        if not new and not over:
            continue
        if target.send(_title(new, over), _body(new, over, ui_url), _kind(new)):
            memory.unreachable.pop(str(target.number), None)
            _note(memory, new, present, target, now)
            done.append(f"Target {target.number} was told of {len(new)} troubles and {len(over)} that are over.")
        else:
            memory.unreachable.setdefault(str(target.number), now.timestamp())
            done.append(f"Target {target.number} could not be reached; it is tried again.")
    known = {target.name for target in targets}
    memory.told = {
        name: each for name, each in memory.told.items() if name in present or (each.ends and known & each.at.keys())
    }
    numbers = {str(target.number) for target in targets}
    memory.unreachable = {number: since for number, since in memory.unreachable.items() if number in numbers}
    return done


def _is_due(memory: Memory, name: str, target: Target, now: datetime) -> bool:
    told = memory.told.get(name)
    at = told.at.get(target.name) if told else None
    return at is None or now.timestamp() - at >= AGAIN_AFTER.total_seconds()


def _note(memory: Memory, new: Iterable[Trouble], present: dict[str, Trouble], target: Target, now: datetime) -> None:
    for each in new:
        told = memory.told.setdefault(each.name, Told(each.what, each.ends, korean=each.korean))
        told.at[target.name] = now.timestamp()
    for name, told in memory.told.items():
        if name not in present:
            told.at.pop(target.name, None)


def _title(new: Sequence[Trouble], over: Sequence[Told]) -> str:
    if len(new) == 1:
        return f"YUMAI: {new[0].what}"[:120]
    if new:
        return f"YUMAI: {len(new)} troubles"
    return "YUMAI: it is over" if len(over) == 1 else f"YUMAI: {len(over)} troubles are over"


def _body(new: Sequence[Trouble], over: Sequence[Told], ui_url: str | None) -> str:
    return "\n\n".join([*(_paragraph(each, ui_url) for each in new), *map(_is_over, over)])


def _is_over(told: Told) -> str:
    # What an older version has told has no Korean.
    korean = [OVER + told.korean] if told.korean else []
    return "\n".join([f"It is over: {told.what}", *korean])


def _paragraph(trouble: Trouble, ui_url: str | None) -> str:
    lines = [trouble.what, f"What to do: {trouble.remedy}", trouble.korean, WHAT_TO_DO + trouble.korean_remedy]
    if ui_url is not None and trouble.path:
        lines.append(f"See {ui_url.rstrip('/')}{trouble.path}")
    lines.append(f'More: {RUNBOOK}, "{trouble.kind}"')
    return "\n".join(lines)


def _kind(new: Sequence[Trouble]) -> NotifyType:
    if not new:
        return NotifyType.SUCCESS
    return NotifyType.FAILURE if any(each.state is State.SICK for each in new) else NotifyType.WARNING
