"""The answer is one of several texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from runner.checks import FAILS, PASSES, Example, field, flag, parameters
from runner.checks._text import CASE, end_lines, find_all, normalise_wanted, quote, readings, shorten
from runner.domain.conversation import Run
from runner.domain.report import Finding

MAIN_FIELD = "values"
SCHEMA = parameters(
    "The answer is one of these texts, whatever case, quotation marks, emphasis or full stop it has.",
    required=["values"],
    values=field(
        "array", "The texts that the answer may be.", ["a", "b"], minItems=2, items={"type": "string", "minLength": 1}
    ),
    inside=flag(
        "With true, the answer may be longer: it must give exactly one of the texts, as whole words. One that it only "
        "denies, asks, supposes or strikes out isn't given: 'not Paris', 'Is it Paris?', 'if it is Paris'."
    ),
    case=CASE,
)
EXAMPLES = (
    Example("one_of: [Berlin, Paris]", "**Paris.**", PASSES),
    Example("one_of: {values: ['yes', 'no'], inside: true}", "Yes, it does.", PASSES),
    Example("one_of: {values: ['yes', 'no'], inside: true}", "Yes and no.", FAILS),
    Example("one_of: {values: [Paris, Rome], inside: true}", "It is not Paris.", FAILS),
)

_WRAPPING = " .!。！*_`\"'"
_MOST = 500
"""Places of a text that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    values: Sequence[str]
    inside: bool = False
    case: bool = False

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for value in self.values:
            core = fold_value(value, case=self.case)
            if core in seen:
                raise ValueError(f"{value!r} and {seen[core]!r} can't be told apart")
            seen[core] = value

    def judge(self, run: Run) -> Finding:
        expected = f"one of {', '.join(quote(value) for value in self.values)}"
        found = shorten(run.text)
        named = self._named(run.text) if self.inside else set[str]()
        chosen = self._chosen_inside(run.text, named) if self.inside else self._chosen_whole(run.text)
        if len(chosen) == 1:
            return Finding(holds=True, expected=expected, found=found)
        reason = "the answer gives none of them" if self.inside else "none of them is the whole answer"
        if chosen:
            reason = f"the answer contains {' and '.join(quote(value) for value in chosen)}, so it doesn't choose"
        weak = bool(named) and not chosen
        return Finding(holds=False, expected=expected, found=found, reason=reason, weak=weak)

    def _chosen_whole(self, text: str) -> list[str]:
        answers = [answer.strip(_WRAPPING) for answer in readings(text, case=self.case, negative=False, inside=False)]
        return [value for value in self.values if fold_value(value, case=self.case) in answers]

    def _chosen_inside(self, text: str, named: set[str]) -> list[str]:
        """The values that the text gives in any reading; a lone one has to be given wherever it is looked for."""
        if len(named) == 1:
            ended = end_lines(text)
            told = [self._given(one, is_sure=True) for one in readings(ended, case=self.case, negative=False)]
            named = {value for value in named if {one.get(value) for one in told} - {None} == {True}}
        return [value for value in self.values if value in named]

    def _named(self, text: str) -> set[str]:
        """Those that some reading has elsewhere than in a denial."""
        return {
            value
            for reading in readings(end_lines(text), case=self.case, negative=True)
            for value, is_given in self._given(reading, is_sure=False).items()
            if is_given
        }

    def _given(self, text: str, *, is_sure: bool) -> dict[str, bool]:
        """Each value in the text, elsewhere than in a longer one ("red" in "red wine"), and whether it isn't denied.

        With `is_sure`, nor asked or supposed, nor a part of an amount.
        """
        from runner.checks._wording import is_asked, is_supposed, is_text_denied

        places: list[tuple[int, int, str]] = []
        rest = text
        for value in sorted(self.values, key=lambda one: len(fold_value(one, case=self.case)), reverse=True):
            core = fold_value(value, case=self.case)
            found = list(islice(find_all(rest, core, words=True, whole_amounts=is_sure), _MOST))
            places += [(start, start + len(core), value) for start in found]
            rest = _without(rest, found, len(core)) if found else rest
        given: dict[str, bool] = {}
        floor, is_denied = 0, False
        for start, end, value in sorted(places):
            is_denied = is_text_denied(text, start, end, floor=floor, list_is_denied=is_denied)
            is_open = is_sure and (is_asked(text, end) or is_supposed(text, start))
            given[value] = given.get(value, False) or not (is_denied or is_open)
            floor = end
        return given


@lru_cache(maxsize=1024)
def fold_value(value: str, *, case: bool) -> str:
    """What of a value has to be in the answer. Raises ValueError if that is nothing."""
    wanted = normalise_wanted(value, case=case)
    return wanted.strip(_WRAPPING) or wanted


def _without(text: str, places: Sequence[int], length: int) -> str:
    """The text with so many characters from each place on replaced by one that is in no value."""
    ends = (0, *(place + length for place in places))
    kept = [text[end:start] for end, start in zip(ends, (*places, len(text)), strict=True)]
    return ("\0" * length).join(kept)
