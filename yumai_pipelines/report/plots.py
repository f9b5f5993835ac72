"""The report's plots. Names of shops and categories are left to the page, which shows them in the reader's own fonts.

Figures are made without pyplot, which would keep every figure in memory.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from yumai_pipelines.report.numbers import Numbers, Row

INK, PALE, GRID = "#23313f", "#8a97a3", "#e4e9ed"
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
"""The palette of Okabe and Ito, whose colours people with colour blindness can tell apart."""

FEWEST = 20
"""A tenth is drawn if it has at least this number of recommendations: fewer say nothing about a score."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
    # Text stays text, so that it can be searched, and is shown in the reader's fonts.
    "svg.fonttype": "none",
    # The same figures give the same file.
    "svg.hashsalt": "yumai",
}


def trend(numbers: Numbers) -> str:
    """Recommendations, selection rate and mean rating over the months."""
    figure = Figure(figsize=(10.4, 2.3), layout="constrained")
    _trend(figure.subplots(1, 3), numbers)
    return _svg(figure)


def funnel(numbers: Numbers) -> str:
    """Selections and ratings by method, as shares of its recommendations."""
    figure = Figure(figsize=(5.1, 3.1), layout="constrained")
    _funnel(figure.subplots(), numbers.methods)
    return _svg(figure)


def calibration(numbers: Numbers) -> str:
    """The selection rates that the confidence score predicted, against the actual ones."""
    figure = Figure(figsize=(5.1, 3.1), layout="constrained")
    _calibration(figure.subplots(), numbers)
    return _svg(figure)


def feedback(numbers: Numbers) -> str:
    """Numbers of feedback by kind, and of ratings by stars."""
    figure = Figure(figsize=(10.4, 2.4), layout="constrained")
    kinds, stars = figure.subplots(1, 2)
    _kinds(kinds, numbers.feedback)
    _stars(stars, numbers.feedback)
    return _svg(figure)


def preview(numbers: Numbers) -> bytes:
    """A small PNG of the report's main plots."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained", dpi=80)
        places = figure.subplot_mosaic(
            [["a", "a", "b", "b", "c", "c"], ["d", "d", "d", "e", "e", "e"]], height_ratios=[1, 1.4]
        )
        _trend([places[name] for name in "abc"], numbers)
        _funnel(places["d"], numbers.methods)
        _calibration(places["e"], numbers)
        return _rendered(figure, "png")


def _trend(axes: Sequence[Axes], numbers: Numbers) -> None:
    labels = [f"{month.number}" if month.number != 1 else f"1\n{month.year}" for month, _ in numbers.trend]
    for axis, (title, name) in zip(
        axes,
        (("Recommendations", "rows"), ("Selection rate", "selection_rate"), ("Mean rating", "rating_mean")),
        strict=True,
    ):
        values = [math.nan if row[name] is None else row[name] for _, row in numbers.trend]
        axis.set_title(title)
        axis.plot(range(len(values)), values, color=COLORS[0], marker="o", markersize=3, linewidth=1.6)
        axis.plot(len(values) - 1, values[-1], color=COLORS[0], marker="o", markersize=6)
        axis.set_xticks(range(len(labels)), labels)
        axis.margins(x=0.06, y=0.25)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.grid(axis="y")
        if name == "rows":
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        if name == "selection_rate":
            axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if _spread(values) > 0.04 else 1))


def _funnel(axis: Axes, methods: Sequence[Row]) -> None:
    axis.set_title("From recommendation to rating")
    shown = methods[: len(COLORS)]
    for place, row in enumerate(shown):
        for step, (count, words) in enumerate(((row["selections"], "chosen"), (row["rated"], "rated"))):
            share = count / row["recommendations"]
            y = place + step * 0.36
            axis.barh(y, share, height=0.32, color=COLORS[place], alpha=1 if step == 0 else 0.45)
            _beside(axis, share, y, f"{share:.1%} {words}")
    axis.set_yticks(
        [place + 0.18 for place in range(len(shown))],
        [f"{row['method']}\n{row['recommendations']:,}" for row in shown],
    )
    axis.invert_yaxis()
    axis.margins(x=0.28)
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)


def _calibration(axis: Axes, numbers: Numbers) -> None:
    axis.set_title("Does the confidence score keep its word?")
    axis.plot([0, 1], [0, 1], color=PALE, linewidth=1, linestyle=(0, (4, 3)), label="a calibrated score")
    for color, method in zip(COLORS, (row["method"] for row in numbers.methods), strict=False):
        every = [row for row in numbers.calibration if row["method"] == method]
        tenths = [row for row in every if row["recommendations"] >= FEWEST]
        if not tenths:
            continue
        total = sum(row["recommendations"] for row in tenths)
        error = sum(abs(row["mean_score"] - row["selection_rate"]) * row["recommendations"] for row in tenths) / total
        promised, kept = ([row[name] for row in tenths] for name in ("mean_score", "selection_rate"))
        sizes = [8 + 90 * row["recommendations"] / total for row in tenths]
        axis.plot(promised, kept, color=color, linewidth=1.4, label=f"{method}: off by {100 * error:.1f} points")
        axis.scatter(promised, kept, s=sizes, color=color, linewidths=0)
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean score of a tenth", ylabel="share chosen")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(PercentFormatter(1))
    axis.grid()
    axis.legend(loc="lower right", fontsize=8)


def _kinds(axis: Axes, rows: Sequence[Row]) -> None:
    axis.set_title("Feedback by kind")
    total = sum(row["feedbacks"] for row in rows)
    shown = rows[:7]
    counts = [row["feedbacks"] for row in shown]
    axis.barh([row["feedback_type"] for row in shown], counts, color=COLORS[0], height=0.62)
    for place, count in enumerate(counts):
        _beside(axis, count, place, f"{count:,} ({count / total:.0%})")
    axis.invert_yaxis()
    axis.margins(x=0.22)
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)


def _stars(axis: Axes, rows: Sequence[Row]) -> None:
    counts = [sum(row[f"rating_{star}"] for row in rows) for star in range(1, 6)]
    total = sum(counts)
    axis.set_title(f"{total:,} ratings, 1 to 5")
    axis.bar(range(1, 6), counts, color=COLORS[0], width=0.7)
    for star, count in enumerate(counts, 1):
        axis.text(star, count, f"{count / total:.0%}" if total else "", ha="center", va="bottom", fontsize=8)
    axis.set_xticks(range(1, 6))
    axis.margins(y=0.15)
    axis.yaxis.set_visible(False)
    axis.spines["left"].set_visible(False)


def _beside(axis: Axes, x: float, y: float, words: str) -> None:
    """Write a text at the end of a bar."""
    axis.annotate(words, (x, y), (4, 0), textcoords="offset points", va="center", fontsize=8)


def _spread(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return max(known, default=0) - min(known, default=0)


def _svg(figure: Figure) -> str:
    """The figure as an SVG element for a page."""
    text = _rendered(figure, "svg").decode()
    return text[text.index("<svg") :]


def _rendered(figure: Figure, kind: str) -> bytes:
    sink = io.BytesIO()
    options: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {}
    with warnings.catch_warnings():
        # The font may lack characters of a method's name. In an SVG, the reader's fonts are used instead.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(sink, format=kind, **options)
    return sink.getvalue()
