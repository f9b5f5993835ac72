"""What alerts say in Korean, below the English: of each kind of trouble what is wrong, and what to do.

What a check or an examination found, and what a run's error says, is English wherever it is shown, and so it is here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The Korean of a kind of trouble. `what` is a format string: `{name}` is what is in trouble."""

    what: str
    remedy: str


KOREAN = {
    "failed_run": Words(
        "실행이 실패했습니다: {name}",
        "링크에서 그 실행을 여세요. 마지막 오류에 할 일이 적혀 있습니다. 바로잡은 다음 Re-execute를 누르거나 작업을 "
        "다시 실행하세요. 이미 끝난 일은 그대로 남습니다.",
    ),
    "failed_check": Words(
        "검사를 통과하지 못했습니다: {name}",
        "링크에서 그 검사를 여세요. 어떤 행이 왜 걸렸는지, 무엇을 실행하면 되는지 적혀 있습니다.",
    ),
    "missed_check": Words(
        "매일 하는 검사를 지난 두 번 하지 않았습니다: {name}",
        "이 작업의 최근 실행을 보세요. 검사 전에 실패했거나 실행되지 않았습니다. 원인을 바로잡고 작업을 실행하세요.",
    ),
    "missed_schedule": Words(
        "일정이 제시간에 돌지 않았습니다: {name}",
        "dagster-daemon이 실행 중인지 보세요(화면의 Deployment, Daemons). 실행 중인데도 따라잡지 않으면 작업을 직접 "
        "실행하세요.",
    ),
    "failed_schedule": Words(
        "일정이 무엇을 실행할지 정하지 못했습니다: {name}",
        "링크에서 일정의 마지막 틱을 여세요. 오류 전체가 있습니다. 다음 시각에 다시 시도하며, 그때가 너무 늦으면 "
        "작업을 직접 실행하세요.",
    ),
    "daemon_was_down": Words(
        "dagster-daemon이 멈춰 있었습니다: {name}",
        "왜 멈췄는지 찾으세요. 일정마다 밀린 틱 다섯 번까지는 스스로 따라잡으니, 그 뒤에 돌았는지 화면에서 확인하세요.",
    ),
    "sick": Words(
        "yumai doctor의 진단에서 이상이 발견되었습니다: {name}",
        "위의 영어 안내에 있는 명령을 그대로 실행하세요. docs/operate.md의 같은 이름 항목에 설명이 있습니다.",
    ),
}
"""By the troubles' kinds."""

WHAT_TO_DO = "할 일: "
OVER = "해결되었습니다: "
