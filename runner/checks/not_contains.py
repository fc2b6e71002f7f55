"""The answer contains neither a text nor any of several."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, flag, parameters, texts_field
from runner.checks._text import CASE, as_tuple, find_in, normalise_wanted, quote, readings, shorten
from runner.checks.contains import Check as Contains
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The answer doesn't contain the text, nor any text of a list. Kinds of space, dash and quotation mark make no "
    "difference, nor do the marks of Markdown and HTML.",
    required=["value"],
    value=texts_field("The text that must not be there; of a list, none may.", "text"),
    words=flag(
        "Whole words only, the default: 'refund' is not found in 'refunds'. With false, any place counts.", default=True
    ),
    case=CASE,
)
EXAMPLES = (
    Example("not_contains: guarantee", "We can't promise that.", PASSES),
    Example("not_contains: [guarantee, promise]", "We can't promise that.", FAILS),
    Example("not_contains: guarantee", an_answer(refusal="I can't help with that."), FAILS),
    Example("not_contains: guarantee", an_answer("We", status=RunStatus.INCOMPLETE), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Contains):
    def judge(self, run: Run) -> Finding:
        expected = f"no {' and no '.join(quote(text) for text in as_tuple(self.value))}"
        for answer in readings(run.text, case=self.case, negative=True):
            for text in as_tuple(self.value):
                place = find_in(answer, normalise_wanted(text, case=self.case), words=self.words)
                if place >= 0:
                    reason = f"the answer contains {quote(text)}"
                    return Finding(holds=False, expected=expected, found=self._show(run.text, place), reason=reason)
        return Finding(holds=True, expected=expected, found=shorten(run.text))

    def _show(self, text: str, place: int) -> str:
        """The text around the place where it was found; as it was read with its capitals, where lengths agree."""
        read = readings(text, case=self.case, negative=True)
        for folded, shown in zip(read, readings(text, case=True, negative=True), strict=False):
            if len(folded) == len(shown) and place < len(shown):
                return shorten(shown, around=place)
        return shorten(text)
