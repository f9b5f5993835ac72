"""The report's plots. Names of shops and categories are left to the page, which shows them in the reader's own fonts.

Figures are made without pyplot, which would keep every figure in memory.
"""

from __future__ import annotations

import io
import math
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from yumai_pipelines.report.words import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from yumai_pipelines.report.numbers import Numbers
    from yumai_pipelines.report.words import Words

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


def trend(numbers: Numbers, words: Words) -> str:
    """Recommendations, selection rate and mean rating over the months: three plots, which a phone shows in a column."""
    return _svgs((3.5, 2.1), numbers, words, *(partial(_trend, column=column) for column in _TRENDS))


def funnel(numbers: Numbers, words: Words) -> str:
    """Selections and ratings by method, as shares of its recommendations."""
    return _svgs((4.0, 3.0), numbers, words, _funnel)


def calibration(numbers: Numbers, words: Words) -> str:
    """The selection rates that the confidence score predicted, against the actual ones."""
    return _svgs((4.0, 3.7), numbers, words, _calibration)


def feedback(numbers: Numbers, words: Words) -> str:
    """Numbers of feedback by kind, and of ratings by stars."""
    return _svgs((3.8, 2.2), numbers, words, _kinds, _stars)


def _svgs(
    size: tuple[float, float], numbers: Numbers, words: Words, *parts: Callable[[Axes, Numbers, Words], None]
) -> str:
    """Draw each part as an SVG of its own, so that the page can put them side by side or in a column.

    A phone shows them 4 inches wide: in a larger one, the letters would be too small to read there.
    """
    drawn = []
    for part in parts:
        figure = Figure(figsize=size, layout="constrained")
        part(figure.subplots(), numbers, words)
        drawn.append(_svg(figure))
    return "".join(drawn)


def preview(numbers: Numbers) -> bytes:
    """A small PNG of the report's main plots, in English: the font of the plots has no Korean letters."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained", dpi=80)
        places = figure.subplot_mosaic(
            [["a", "a", "b", "b", "c", "c"], ["d", "d", "d", "e", "e", "e"]], height_ratios=[1, 1.4]
        )
        for name, column in zip("abc", _TRENDS, strict=True):
            _trend(places[name], numbers, ENGLISH, column=column)
        _funnel(places["d"], numbers, ENGLISH)
        _calibration(places["e"], numbers, ENGLISH)
        return _rendered(figure, "png")


_TRENDS = ("rows", "selection_rate", "rating_mean")

_LEAST_SPAN = {"selection_rate": 0.05, "rating_mean": 0.5}
"""What a plot shows at least, so that a small change does not look like a large one."""


def _trend(axis: Axes, numbers: Numbers, words: Words, *, column: str) -> None:
    values = [math.nan if row[column] is None else row[column] for _, row in numbers.trend]
    axis.set_title(words(column))
    axis.plot(range(len(values)), values, color=COLORS[0], marker="o", markersize=3, linewidth=1.6)
    axis.plot(len(values) - 1, values[-1], color=COLORS[0], marker="o", markersize=6)
    every = math.ceil(len(values) / 6)
    shown = range((len(values) - 1) % every, len(values), every)
    axis.set_xticks([*shown], [words.short_name_of(numbers.trend[place][0]) for place in shown])
    axis.margins(x=0.06, y=0.25)
    axis.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axis.grid(axis="y")
    if column == "rows":
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        return
    known = [value for value in values if not math.isnan(value)]
    if known:
        middle, span = (max(known) + min(known)) / 2, max(_LEAST_SPAN[column], 1.5 * (max(known) - min(known)))
        axis.set_ylim(max(0, middle - span / 2), middle + span / 2)
    if column == "selection_rate":
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _funnel(axis: Axes, numbers: Numbers, words: Words) -> None:
    shown = numbers.methods[: len(COLORS)]
    for place, row in enumerate(shown):
        for step, (count, said) in enumerate(((row["selections"], "chosen"), (row["rated"], "rated"))):
            share = count / row["recommendations"]
            y = place + step * 0.36
            axis.barh(y, share, height=0.32, color=COLORS[place], alpha=1 if step == 0 else 0.45)
            _beside(axis, share, y, f"{share:.1%} {words(said)}")
    axis.set_yticks(
        [place + 0.18 for place in range(len(shown))],
        [f"{row['method']}\n{row['recommendations']:,}" for row in shown],
    )
    axis.invert_yaxis()
    axis.margins(x=0.28)
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)


def _calibration(axis: Axes, numbers: Numbers, words: Words) -> None:
    axis.plot([0, 1], [0, 1], color=PALE, linewidth=1, linestyle=(0, (4, 3)), label=words("as_promised"))
    for color, method in zip(COLORS, (row["method"] for row in numbers.methods), strict=False):
        every = [row for row in numbers.calibration if row["method"] == method]
        tenths = [row for row in every if row["recommendations"] >= FEWEST]
        if not tenths:
            continue
        total = sum(row["recommendations"] for row in tenths)
        error = sum(abs(row["mean_score"] - row["selection_rate"]) * row["recommendations"] for row in tenths) / total
        promised, kept = ([row[name] for row in tenths] for name in ("mean_score", "selection_rate"))
        sizes = [8 + 90 * row["recommendations"] / total for row in tenths]
        said = words("off_by", method=method, points=100 * error)
        axis.plot(promised, kept, color=color, linewidth=1.4, label=said)
        axis.scatter(promised, kept, s=sizes, color=color, linewidths=0)
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel=words("promised"), ylabel=words("kept"))
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(PercentFormatter(1))
    axis.grid()
    # Below the axes, where it covers no curve.
    axis.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=2, fontsize=8.5)


def _kinds(axis: Axes, numbers: Numbers, words: Words) -> None:
    rows = numbers.feedback
    axis.set_title(words("kinds"))
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


def _stars(axis: Axes, numbers: Numbers, words: Words) -> None:
    counts = [sum(row[f"rating_{star}"] for row in numbers.feedback) for star in range(1, 6)]
    total = sum(counts)
    axis.set_title(words("stars", ratings=total))
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
