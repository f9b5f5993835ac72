"""The report as one HTML page that loads no script, font or picture, so that it can be sent as a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined

from yumai_pipelines.report import plots
from yumai_pipelines.report.numbers import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.report.numbers import Numbers
    from yumai_pipelines.report.words import Words


@dataclass(frozen=True)
class Figure:
    """A key figure at the top of the page: its value, and how it has changed."""

    name: str
    value: str
    change: str
    tone: str


def render(numbers: Numbers, words: Words) -> str:
    """The page as HTML, in one language."""
    # Names of shops come from outside, so everything except the plots is escaped.
    environment = Environment(
        loader=PackageLoader("yumai_pipelines.report", ""), autoescape=True, undefined=StrictUndefined
    )
    with mpl.rc_context(plots.STYLE):
        drawn = {
            plot.__name__: plot(numbers, words)
            for plot in (plots.trend, plots.funnel, plots.calibration, plots.feedback)
        }
    return environment.get_template("page.html.jinja").render(
        words=words,
        lead=lead(numbers, words),
        figures=figures(numbers, words),
        numbers=numbers,
        plots=drawn,
        usual=USUAL,
        provenance=provenance(numbers, words),
    )


def lead(numbers: Numbers, words: Words) -> list[str]:
    """What the page says first: what changed, why it matters, where it comes from; then what the month was like."""
    this, before = numbers.this, numbers.before
    if not this["rows"]:
        return [words("nothing")]
    summary = words("summary", rows=this["rows"], users=this["users"], rate=this["selection_rate"])
    if before is None:
        return [summary]
    rate, step = this["selection_rate"], this["selection_rate"] - before["selection_rate"]
    growth = this["rows"] / before["rows"] - 1
    count = "as_many" if abs(growth) < _LEAST_GROWTH else "more" if growth > 0 else "fewer"
    rest = [summary, words(count, share=abs(growth))]
    then = words.name_of(numbers.month - 1)
    if abs(step) < _LEAST_STEP:
        return [words("same", before=then, rate=rate), *rest]
    changed = words(
        "more_often" if step > 0 else "less_often",
        before=then,
        rate=rate,
        points=100 * abs(step),
        choices=round(abs(step) * this["rows"]),
    )
    return [changed, *_cause(numbers, step, words), *rest]


_LEAST_STEP, _LEAST_GROWTH = 0.0005, 0.005
"""What is rounded to no change."""


def _cause(numbers: Numbers, step: float, words: Words) -> Iterator[str]:
    """Yield which method's rate made most of the change, if one did."""
    before = {row["method"]: row["selections"] / row["recommendations"] for row in numbers.methods_before}
    rates = {row["method"]: row["selections"] / row["recommendations"] for row in numbers.methods}
    share = {
        row["method"]: (rates[row["method"]] - before[row["method"]]) * row["recommendations"]
        for row in numbers.methods
        if row["method"] in before
    }
    most = max(share, key=lambda method: share[method] * step, default=None)
    if most is not None and share[most] * step > 0 and len(share) > 1:
        yield words("most_of_it", method=most, before=before[most], rate=rates[most])


def figures(numbers: Numbers, words: Words) -> list[Figure]:
    """The key figures at the top, each with its change since the month before."""
    this, before = numbers.this, numbers.before or {}
    then_month = words.months[(numbers.month - 1).number - 1]

    def figure(column: str, shape: str, change: str, better: int) -> Figure:
        now, then = this[column], before.get(column)
        name = words(column)
        value = "–" if now is None else words(shape, seconds=now) if shape in words.texts else shape.format(now)
        if now is None or then is None or (change == "relative" and not then):
            return Figure(name, value, "", "")
        step = now - then if change != "relative" else now / then - 1
        said = {"relative": f"{step:+.0%}", "points": words("points", step=100 * step), "plain": f"{step:+.2f}"}[change]
        known = any(digit in said for digit in "123456789")
        shown = words("since", change=said.replace("-", "−"), month=then_month) if known else words("no_change")
        tone = "" if better == 0 or not known else "up" if step * better > 0 else "down"
        return Figure(name, value, shown, tone)

    return [
        figure("rows", "{:,}", "relative", 1),
        figure("users", "{:,}", "relative", 1),
        figure("selection_rate", "{:.1%}", "points", 1),
        figure("median_seconds_to_selection", "seconds", "relative", 0),
        figure("feedback_rate", "{:.1%}", "points", 1),
        figure("rating_mean", "{:.2f}", "plain", 1),
    ]


def provenance(numbers: Numbers, words: Words) -> str:
    """The footer: which data the page was made from, and what the reader should keep in mind."""
    this = numbers.this
    invalid = sum(row["invalid_ratings"] for row in numbers.feedback)
    flaws = words("flaws", lists=this["unreadable_lists"], ratings=invalid, outside=this["selections_outside_the_list"])
    entry = numbers.ledger.get("recommendation_outcomes")
    if entry is None:
        return flaws
    made = words(
        "provenance",
        month=words.name_of(numbers.month),
        built=f"{entry.built_at:%Y-%m-%d %H:%M %Z}",
        recommendations=entry.source_recommendations,
        feedback=entry.source_feedback,
    )
    merged = [words("merged", users=entry.min_group_users)] if entry.min_group_users > 1 else []
    return " ".join([made, flaws, *merged])
