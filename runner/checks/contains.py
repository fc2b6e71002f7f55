"""The answer contains a text, or each of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example, flag, parameters, texts_field
from runner.checks._text import CASE, as_tuple, find_in, normalise_wanted, quote, readings, shorten
from runner.domain.conversation import Run
from runner.domain.report import Finding

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The answer contains the text, or each text of a list. Kinds of space, dash and quotation mark make no "
    "difference, nor do the marks of Markdown and HTML.",
    required=["value"],
    value=texts_field("The text that must be there; of a list, every one must.", "text"),
    words=flag(
        "Whole words only, the default: 'car' is not found in 'card', nor '39' in '39.25' or '39%'. With false, any "
        "place counts.",
        default=True,
    ),
    case=CASE,
)
EXAMPLES = (
    Example("contains: 39.25", "You pay **39.25** USD.", PASSES),
    Example("contains: [Oslo, '2026']", "It was in Oslo.", FAILS),
    Example("contains: {value: refund, words: false}", "Refunds take 30 days.", PASSES),
    Example("contains: refund", "Refunds take 30 days.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str | Sequence[str]
    words: bool = True
    case: bool = False

    def __post_init__(self) -> None:
        for text in as_tuple(self.value):
            normalise_wanted(text, case=self.case)

    def judge(self, run: Run) -> Finding:
        answers = readings(run.text, case=self.case, negative=False)
        texts = as_tuple(self.value)
        missing = [text for text in texts if not self._finds(text, answers, whole_amounts=True)]
        expected = " and ".join(quote(text) for text in texts)
        found = shorten(run.text)
        if not missing:
            return Finding(holds=True, expected=expected, found=found)
        reason = f"the answer doesn't contain {' or '.join(quote(text) for text in missing)}"
        if self.words and any(self._is_part(answers, text) for text in missing):
            reason += " as a whole word (`words: false` would find it inside others)"
        # What `not_contains` finds: struck out, or as a part of an amount.
        is_hidden = "~~" in run.text or "<" in run.text
        perhaps = [text for text in missing if is_hidden or self._is_part(answers, text)]
        others = readings(run.text, case=self.case, negative=True) if perhaps else ()
        weak = any(self._finds(text, others, whole_amounts=False) for text in perhaps)
        return Finding(holds=False, expected=expected, found=found, reason=reason, weak=weak)

    def _is_part(self, answers: Sequence[str], text: str) -> bool:
        return any(normalise_wanted(text, case=self.case) in answer for answer in answers)

    def _finds(self, text: str, answers: Sequence[str], *, whole_amounts: bool) -> bool:
        wanted = normalise_wanted(text, case=self.case)
        return any(find_in(one, wanted, words=self.words, whole_amounts=whole_amounts) >= 0 for one in answers)
