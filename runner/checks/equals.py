"""The whole answer is a given text."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example, parameters, text_field
from runner.checks._text import CASE, normalise, normalise_wanted, quote, readings
from runner.domain.conversation import Run
from runner.domain.report import Finding

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The whole answer is this text. Outer space is dropped; kinds of space, dash and quotation mark make no "
    "difference, nor do the marks of Markdown and HTML.",
    required=["value"],
    value=text_field("The answer, all of it, punctuation included.", "text"),
    case=CASE,
)
EXAMPLES = (
    Example("equals: No refunds.", "**No refunds.**", PASSES),
    Example("equals: No refunds.", "No refunds", FAILS),
    Example("equals: {value: 'YES', case: true}", "Yes", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str
    case: bool = False

    def __post_init__(self) -> None:
        normalise_wanted(self.value, case=self.case)

    def judge(self, run: Run) -> Finding:
        answer = normalise(run.text, case=self.case)
        wanted = normalise_wanted(self.value, case=self.case)
        expected, found = quote(self.value), quote(run.text)
        if wanted in readings(run.text, case=self.case, negative=False, inside=False):
            return Finding(holds=True, expected=expected, found=found)
        place = next((at for at, (one, other) in enumerate(zip(answer, wanted, strict=False)) if one != other), -1)
        if answer.casefold() == wanted.casefold():
            reason = "only upper and lower case differ"
        elif place < 0:
            reason = "the answer goes on after it" if len(answer) > len(wanted) else "the answer stops before its end"
        else:
            reason = f"they differ from {quote(answer[place : place + 40])} on"
        return Finding(holds=False, expected=expected, found=found, reason=reason)
