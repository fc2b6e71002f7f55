"""The answer begins with a text."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, flag, parameters, text_field
from runner.checks._text import CASE, find_in, normalise_wanted, quote, readings, shorten
from runner.checks.contains import Check as Contains
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The answer begins with this text. Outer space is dropped; kinds of space, dash and quotation mark make no "
    "difference, nor do the marks of Markdown and HTML.",
    required=["value"],
    value=text_field("The text that the answer begins with.", "Dear"),
    words=flag(
        "Whole words only, the default: an answer 'Yesterday' doesn't begin with 'Yes', nor '39%' with '39'. With "
        "false, they do.",
        default=True,
    ),
    case=CASE,
)
EXAMPLES = (
    Example("starts_with: Dear", "**Dear** Ms Lee, thank you for your letter.", PASSES),
    Example("starts_with: Yes", "Yesterday was Sunday.", FAILS),
    Example("starts_with: {value: yes, case: true}", "Yes, it is.", FAILS),
    Example("starts_with: Yes", an_answer("Yes, and", status=RunStatus.INCOMPLETE), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Contains):
    value: str

    def judge(self, run: Run) -> Finding:
        wanted = normalise_wanted(self.value, case=self.case)
        answers = readings(run.text, case=self.case, negative=False)
        holds = any(
            answer.startswith(wanted)
            and find_in(answer[: len(wanted) + 6], wanted, words=self.words, whole_amounts=True) == 0
            for answer in answers
        )
        reason = "" if holds else f"the answer doesn't begin with {quote(self.value)}"
        if not holds and any(answer.startswith(wanted) for answer in answers):
            reason += " as a whole word (`words: false` would do)"
        return Finding(holds=holds, expected=f"{quote(self.value)} first", found=shorten(run.text), reason=reason)
