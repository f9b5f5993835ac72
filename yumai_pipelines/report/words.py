"""What the report says, in English and in Korean. The figures, and how they are drawn, are not decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yumai_pipelines.model.months import Month


@dataclass(frozen=True)
class Words:
    """The words of one language. Each text is a format string, whose fields are named in all languages alike.

    Attributes:
        language: the language's code, as in HTML.
        suffix: what stands before `.html` in the name of a page.
        months: the names of the months, from January on.
        short_months: the same, as they fit below a plot.
        month_of_year: how a month's name and its year are put together.
        texts: every other text, by its name.
    """

    language: str
    suffix: str
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    month_of_year: str
    texts: Mapping[str, str]

    def __call__(self, name: str, **fields: object) -> str:
        """Return a text with its fields filled in."""
        return self.texts[name].format(**fields)

    def name_of(self, month: Month) -> str:
        """The name of a month, such as `June 2026`."""
        return self.month_of_year.format(name=self.months[month.number - 1], year=month.year)

    def short_name_of(self, month: Month) -> str:
        """The name of a month below a plot, with its year in January."""
        name = self.short_months[month.number - 1]
        return f"{name}\n{month.year}" if month.number == 1 else name


ENGLISH = Words(
    language="en",
    suffix="",
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    short_months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    month_of_year="{name} {year}",
    texts={
        "title": "Recommendations in {month}",
        "nothing": "Nothing was recommended in this month.",
        "summary": "{rows:,} recommendations to {users:,} signed-in users; {rate:.1%} of the recommendations led to a "
        "choice.",
        "same": "Users chose as often as in {before}: after {rate:.1%} of the recommendations.",
        "more_often": "Users chose more often than in {before}: after {rate:.1%} of the recommendations, "
        "up {points:.1f} points. That is about {choices:,} choices more.",
        "less_often": "Users chose less often than in {before}: after {rate:.1%} of the recommendations, "
        "down {points:.1f} points. That is about {choices:,} choices fewer.",
        "most_of_it": "Most of it is {method}, which went from {before:.1%} to {rate:.1%}.",
        "more": "There were {share:.0%} more recommendations than in the month before.",
        "fewer": "There were {share:.0%} fewer recommendations than in the month before.",
        "as_many": "There were as many recommendations as in the month before.",
        "rows": "Recommendations",
        "users": "Signed-in users",
        "selection_rate": "Led to a choice",
        "median_seconds_to_selection": "Time to the choice",
        "feedback_rate": "Got feedback",
        "rating_mean": "Mean rating",
        "seconds": "{seconds:.0f} s",
        "points": "{step:+.1f} points",
        "no_change": "no change",
        "since": "{change} since {month}",
        "over_the_months": "Over the months",
        "by_method": "By method",
        "by_method_note": "Of the recommendations of each method, whose number stands below its name.",
        "chosen": "chosen",
        "rated": "rated",
        "confidence": "Does the confidence score keep its word?",
        "confidence_note": "Each dot is a tenth of a method's recommendations. Above the line, users chose more often "
        "than the score promised; below, less.",
        "promised": "promised by the score",
        "kept": "really chosen",
        "as_promised": "as promised",
        "off_by": "{method}: off by {points:.1f} points",
        "top": "Chosen most",
        "nothing_chosen": "Nothing was chosen.",
        "shop": "Shop",
        "listed": "listed",
        "choices": "chosen",
        "rate": "rate",
        "rating": "rating",
        "sinking": "Chosen less than usual",
        "sinking_note": "Compared with the {months} months before, and by more than chance explains.",
        "none_sinking": "No shop was chosen less often than in the {months} months before, by more than chance "
        "explains.",
        "usual_rate": "usually",
        "lost": "choices lost",
        "feedback": "Feedback",
        "kinds": "By kind",
        "stars": "{ratings:,} ratings, 1 to 5",
        "flaws": "{lists:,} lists could not be read, {ratings:,} ratings were no number from 1 to 5, and {outside:,} "
        "choices were not in their list: they are counted, not guessed at.",
        "merged": "Groups of fewer than {users} users are merged.",
        "provenance": "From the extracts of {month}, built at {built} from {recommendations:,} recommendations and "
        "{feedback:,} feedbacks, whenever those were given. Months are those of the business's time zone.",
    },
)

_KOREAN_MONTHS = tuple(f"{number}월" for number in range(1, 13))

KOREAN = Words(
    language="ko",
    suffix=".ko",
    months=_KOREAN_MONTHS,
    short_months=_KOREAN_MONTHS,
    month_of_year="{year}년 {name}",
    texts={
        "title": "{month} 추천 보고서",
        "nothing": "이 달에는 추천이 없었습니다.",
        "summary": "로그인한 사용자 {users:,}명에게 {rows:,}건을 추천했고, 그중 {rate:.1%}가 선택으로 이어졌습니다.",
        "same": "선택률은 {before}과 같은 {rate:.1%}입니다.",
        "more_often": "선택률이 {before}보다 {points:.1f}%p 올라 {rate:.1%}입니다. "
        "선택이 약 {choices:,}건 늘어난 셈입니다.",
        "less_often": "선택률이 {before}보다 {points:.1f}%p 내려 {rate:.1%}입니다. "
        "선택이 약 {choices:,}건 줄어든 셈입니다.",
        "most_of_it": "가장 큰 원인은 {method}로, {before:.1%}에서 {rate:.1%}로 바뀌었습니다.",
        "more": "추천 건수는 지난달보다 {share:.0%} 늘었습니다.",
        "fewer": "추천 건수는 지난달보다 {share:.0%} 줄었습니다.",
        "as_many": "추천 건수는 지난달과 같습니다.",
        "rows": "추천",
        "users": "로그인 사용자",
        "selection_rate": "선택률",
        "median_seconds_to_selection": "선택까지 걸린 시간",
        "feedback_rate": "피드백 비율",
        "rating_mean": "평균 별점",
        "seconds": "{seconds:.0f}초",
        "points": "{step:+.1f}%p",
        "no_change": "변화 없음",
        "since": "{month} 대비 {change}",
        "over_the_months": "월별 추이",
        "by_method": "추천 방식별",
        "by_method_note": "방식별 추천 가운데 차지하는 비율입니다. 이름 아래 숫자는 추천 건수입니다.",
        "chosen": "선택",
        "rated": "평가",
        "confidence": "신뢰도 점수는 맞았을까요?",
        "confidence_note": "점 하나는 한 방식의 추천을 점수순으로 열로 나눈 묶음입니다. 선보다 위면 점수보다 더 많이, "
        "아래면 더 적게 선택되었습니다.",
        "promised": "점수가 예상한 선택률",
        "kept": "실제 선택률",
        "as_promised": "예상과 같음",
        "off_by": "{method}: {points:.1f}%p 차이",
        "top": "가장 많이 선택된 가게",
        "nothing_chosen": "선택된 가게가 없습니다.",
        "shop": "가게",
        "listed": "노출",
        "choices": "선택",
        "rate": "선택률",
        "rating": "별점",
        "sinking": "평소보다 덜 선택된 가게",
        "sinking_note": "이전 {months}개월과 비교해, 우연으로 보기 어려울 만큼 줄어든 가게입니다.",
        "none_sinking": "이전 {months}개월보다 우연으로 보기 어려울 만큼 덜 선택된 가게는 없습니다.",
        "usual_rate": "평소",
        "lost": "줄어든 선택",
        "feedback": "피드백",
        "kinds": "종류별",
        "stars": "별점 {ratings:,}건 (1–5점)",
        "flaws": "읽을 수 없는 추천 목록 {lists:,}건, 1–5가 아닌 별점 {ratings:,}건, 목록에 없는 선택 {outside:,}건은 "
        "추측하지 않고 따로 세었습니다.",
        "merged": "사용자가 {users}명보다 적은 묶음은 합쳤습니다.",
        "provenance": "{month} 추출 테이블에서 만들었습니다. {built}에 추천 {recommendations:,}건과 그에 대한 피드백 "
        "{feedback:,}건(남긴 시점과 무관)으로 집계했습니다. 월은 서비스 시간대 기준입니다.",
    },
)

LANGUAGES = (ENGLISH, KOREAN)
