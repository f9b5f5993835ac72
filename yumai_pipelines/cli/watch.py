"""The commands that look whether all is well, and see that people hear of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  (typer reads it at run time)
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from yumai_pipelines.cli.common import fail, out, stop
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from yumai_pipelines.health.examination import Complaint, Result

_STYLES = {"healthy": "green", "advice": "yellow", "sick": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    metrics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write numbers for Prometheus's textfile collector, such as yumai.prom."
        ),
    ] = None,
) -> str:
    """Examine the database, its server, the archives and Dagster's schedules and runs, and say what to do.

    Nothing is changed. The exit status is 0 when nothing is sick, 1 when something is; advice is no sickness. In cron,
    `yumai doctor --json || …` tells somebody also when Dagster itself is down. `docs/operate.md` has a section on each
    examination.

    Examples: `yumai doctor`, `yumai doctor --metrics /var/lib/node_exporter/yumai.prom`
    """
    # Imported here because Dagster takes a second to load.
    from yumai_pipelines.doctor import examine_all
    from yumai_pipelines.health.examination import State
    from yumai_pipelines.health.metrics import write

    results = list(examine_all(Settings()))
    states = [each.outcome.state for each in results]
    if metrics is not None:
        write(metrics, results, datetime.now(UTC))
    if as_json:
        facts = {"healthy": State.SICK not in states, "examinations": [_facts(each) for each in results]}
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _show(results)
        out.print(
            f"{states.count(State.HEALTHY)} healthy, {states.count(State.ADVICE)} with advice, "
            f"{states.count(State.SICK)} sick.",
            markup=False,
        )
    if as_json:
        following = ""
    elif {State.SICK, State.ADVICE} & set(states):
        following = "do what stands above, and run `yumai doctor` again."
    else:
        following = "`yumai check` looks at the data."
    if State.SICK in states:
        stop(1, following)
    return following


def _facts(result: Result) -> dict[str, object]:
    return {
        "name": result.name,
        "about": result.about,
        "state": result.outcome.state,
        "seen": result.outcome.seen,
        "complaints": [
            {"state": each.state, "what": each.what, "remedy": each.remedy} for each in result.outcome.complaints
        ],
        "measures": dict(result.outcome.measures),
    }


def _show(results: list[Result]) -> None:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("examination", "", "seen"):
        table.add_column(column, overflow="fold")
    for each in results:
        state = each.outcome.state
        table.add_row(each.name, f"[{_STYLES[state]}]{state}[/]", _plain(each.outcome.seen))
    out.print(table, soft_wrap=False)
    for each in results:
        for complaint in each.outcome.complaints:
            _tell(each.name, complaint)


def _tell(name: str, complaint: Complaint) -> None:
    out.print(f"{name}: {complaint.what}", style=_STYLES[complaint.state], markup=False)
    out.print(f"    What to do: {complaint.remedy}", markup=False)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def alert(
    text: Annotated[str, typer.Argument(help="What to say.")] = "This is a test. Whoever reads it hears of troubles.",
) -> str:
    """Send a message to each target of YUMAI_ALERT_URLS, to see whether it arrives.

    The exit status is 0 when each target has taken it.

    Example: `YUMAI_ALERT_URLS="slack://… mailtos://…" yumai alert`
    """
    from apprise import NotifyType

    from yumai_pipelines.defs.watch.telling import targets_of

    targets = targets_of(Settings().alert_urls or ())
    if not targets:
        fail("YUMAI_ALERT_URLS is not set. It names targets by URLs of Apprise: docs/operate.md has examples.")
    failed = False
    for target in targets:
        if not target.is_understood:
            out.print(f"Target {target.number}: Apprise knows no such URL.")
        elif target.send("YUMAI: a test", text, NotifyType.INFO):
            out.print(f"Target {target.number} has taken it.")
            continue
        else:
            out.print(f"Target {target.number} cannot be reached, or has refused it.")
        failed = True
    if failed:
        stop(1, "correct YUMAI_ALERT_URLS, and run `yumai alert` again.")
    return "see whether the message has arrived; troubles are told to the same targets."
