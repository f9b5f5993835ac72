"""What `yumai demo` prints, for a database that the test makes up."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from yumai_pipelines.demo.run import jobs
from yumai_pipelines.demo.summary import MonthSummary, Summary, show
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.runs import Check, Verdict

ORPHANS = "chatbot/conversations: no_orphans"


def month(number: int, rows: int, extract_rows: int | None, verdict: Verdict = Verdict.PASSED) -> MonthSummary:
    each = Month(2025, number)
    check = Check(ORPHANS, each, verdict, "Rows without a session: 3 (limit 0).\n\nWhat to do: [delete] them.")
    partition = Relation("chatbot", f"conversations_{each.suffix}")
    return MonthSummary(each, partition, (rows, rows // 2, rows // 4), extract_rows, (check,))


def printed(summary: Summary) -> list[str]:
    text = StringIO()
    show(Console(file=text, width=80), summary)
    return [each.strip() for each in text.getvalue().splitlines()]


def cells(lines: list[str], start: str) -> list[str]:
    """Return the words of the first line that begins with this text."""
    return next(each for each in lines if each.startswith(start)).split()


def test_each_month_with_rows_has_a_line_and_empty_ones_share_one() -> None:
    months = [month(1, 0, 0), month(2, 0, 0), month(3, 1_200_000, 40), month(4, 800, None), month(5, 0, None)]
    lines = printed(Summary(tuple(months), (Check("schema: drift", None, Verdict.PASSED, ""),), ()))
    assert cells(lines, "2025-01") == ["2025-01", "to", "2", "partitions", "0", "0", "0", "0", "2/2"]
    assert cells(lines, "2025-02") == ["2025-02"]
    assert cells(lines, "2025-03") == [
        "2025-03", "conversations_2025_03", "1,200,000", "600,000", "300,000", "40", "1/1",
    ]  # fmt: skip
    assert cells(lines, "2025-04") == ["2025-04", "conversations_2025_04", "800", "400", "200", "–", "1/1"]
    assert cells(lines, "2025-05") == ["2025-05", "conversations_2025_05", "0", "0", "0", "–", "1/1"]
    assert cells(lines, "no month") == ["no", "month", "1/1"]
    assert cells(lines, "all") == ["all", "5", "partitions", "1,200,800", "600,400", "300,200", "40", "6/6"]
    assert not any("failed" in each or "warned" in each for each in lines)


def test_failed_checks_are_told_with_their_month_and_all_that_they_say() -> None:
    summary = Summary((month(1, 10, 4), month(2, 10, 4, Verdict.FAILED)), (), ())
    assert not summary.passed
    lines = printed(summary)
    assert cells(lines, "2025-02")[-1] == "0/1"
    assert cells(lines, "all")[-1] == "1/2"
    assert f"{ORPHANS} (2025-02) failed:" in " ".join(lines)
    assert "What to do: [delete] them." in lines


def test_warnings_are_told_in_a_line_and_fail_nothing() -> None:
    summary = Summary((month(1, 10, 4, Verdict.WARNED),), (), ())
    assert summary.passed
    lines = printed(summary)
    assert cells(lines, "all")[-1] == "0/1"
    assert f"{ORPHANS} (2025-01) warned: Rows without a session: 3 (limit 0)." in " ".join(lines)
    assert not any("What to do" in each for each in lines)


def test_a_run_that_failed_is_told_and_fails_all() -> None:
    summary = Summary((month(1, 10, 4),), (), ("daily_upkeep: refresh: out of [disk]",))
    assert not summary.passed
    assert "daily_upkeep: refresh: out of [disk]" in printed(summary)


@pytest.mark.parametrize(
    ("current", "closed"), [(Month(2024, 10), [Month(2024, 8), Month(2024, 9)]), (Month(2024, 8), None)]
)
def test_extracts_are_of_the_months_that_are_over(current: Month, closed: list[Month] | None) -> None:
    planned = {job.name: list(job.months) for job in jobs(Month(2024, 8), current, months_ahead=3)}
    assert planned.get("monthly_extracts") == closed
    assert planned["monthly_partitions"] == [*Month(2024, 8).through(current + 3)]
    assert list(planned) == [
        "install_schema", "monthly_partitions", *(["monthly_extracts"] if closed else []), "daily_upkeep",
    ]  # fmt: skip
