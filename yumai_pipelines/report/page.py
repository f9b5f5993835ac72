"""The report as one HTML page that loads no script, font or picture, so that it can be sent as a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined

from yumai_pipelines.local import files
from yumai_pipelines.report import plots
from yumai_pipelines.report.numbers import USUAL

if TYPE_CHECKING:
    from pathlib import Path

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.report.numbers import Numbers

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A key figure at the top of the page: its value, and how it has changed."""

    name: str
    value: str
    change: str
    tone: str


def render(numbers: Numbers) -> str:
    """The page as HTML."""
    # Names of shops come from outside, so everything except the plots is escaped.
    environment = Environment(
        loader=PackageLoader("yumai_pipelines.report", ""), autoescape=True, undefined=StrictUndefined
    )
    with mpl.rc_context(plots.STYLE):
        drawn = {
            plot.__name__: plot(numbers) for plot in (plots.trend, plots.funnel, plots.calibration, plots.feedback)
        }
    return environment.get_template("page.html.jinja").render(
        month_name=name_of(numbers.month),
        lead=lead(numbers),
        figures=figures(numbers),
        numbers=numbers,
        plots=drawn,
        usual=USUAL,
        provenance=provenance(numbers),
    )


def write(text: str, path: Path) -> None:
    """Write the page to a file for its owner alone. Readers see the old file or the new one, each complete."""
    files.make_directory(path.parent)
    draft = path.with_name(f".{path.name}.part")
    files.replace(draft, text)
    draft.replace(path)


def name_of(month: Month) -> str:
    """The name of a month, such as `June 2026`."""
    return f"{MONTHS[month.number - 1]} {month.year}"


def lead(numbers: Numbers) -> str:
    """Two sentences that sum up the month."""
    this, before = numbers.this, numbers.before
    if not this["rows"]:
        return "Nothing was recommended in this month."
    known = f"{this['rows']:,} recommendations to {this['users']:,} signed-in users; "
    chosen = f"{this['selection_rate']:.1%} of the recommendations led to a choice"
    if before is None:
        return f"{known}{chosen}."
    points = 100 * (this["selection_rate"] - before["selection_rate"])
    step = "as in" if abs(points) < 0.05 else f"{abs(points):.1f} points {'more' if points > 0 else 'less'} than in"
    growth = this["rows"] / before["rows"] - 1
    return (
        f"{known}{chosen}, {step} {name_of(numbers.month - 1)}. There were {abs(growth):.0%} "
        f"{'more' if growth >= 0 else 'fewer'} recommendations than in the month before."
    )


def figures(numbers: Numbers) -> list[Figure]:
    """The key figures at the top, each with its change since the month before."""
    this, before = numbers.this, numbers.before or {}

    def figure(name: str, column: str, shape: str, change: str, better: int) -> Figure:
        now, then = this[column], before.get(column)
        value = "–" if now is None else shape.format(now)
        if now is None or then is None or (change == "relative" and not then):
            return Figure(name, value, "", "")
        step = now - then if change != "relative" else now / then - 1
        words = {"relative": f"{step:+.0%}", "points": f"{100 * step:+.1f} points", "plain": f"{step:+.2f}"}[change]
        said = words.replace("-", "−") if words.strip("+-0%. points") else "no change"
        tone = "" if better == 0 or float(f"{step:.3f}") == 0 else "up" if step * better > 0 else "down"
        return Figure(name, value, f"{said} on {MONTHS[(numbers.month - 1).number - 1]}", tone)

    return [
        figure("Recommendations", "rows", "{:,}", "relative", 1),
        figure("Signed-in users", "users", "{:,}", "relative", 1),
        figure("Selection rate", "selection_rate", "{:.1%}", "points", 1),
        figure("Median time", "median_seconds_to_selection", "{:.0f} s", "relative", 0),
        figure("Got feedback", "feedback_rate", "{:.1%}", "points", 1),
        figure("Mean rating", "rating_mean", "{:.2f}", "plain", 1),
    ]


def provenance(numbers: Numbers) -> str:
    """The footer: which data the page was made from, and what the reader should keep in mind."""
    this = numbers.this
    invalid = sum(row["invalid_ratings"] for row in numbers.feedback)
    flaws = (
        f"{this['unreadable_lists']:,} lists could not be read, {invalid:,} ratings were no number from 1 to 5, and "
        f"{this['selections_outside_the_list']:,} choices were not in their list: they are counted, not guessed at."
    )
    entry = numbers.ledger.get("recommendation_outcomes")
    if entry is None:
        return flaws
    merged = f" Groups of fewer than {entry.min_group_users} users are merged." if entry.min_group_users > 1 else ""
    return (
        f"From the extracts of {name_of(numbers.month)}, built at {entry.built_at:%Y-%m-%d %H:%M %Z} from "
        f"{entry.source_recommendations:,} recommendations and {entry.source_feedback:,} feedbacks, whenever those "
        f"were given. Months are those of the business's time zone. {flaws}{merged}"
    )
