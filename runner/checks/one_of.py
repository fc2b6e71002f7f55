"""The answer is one of several texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example
from runner.checks._text import CASE, find_all, find_in, normalise_wanted, quote, readings, shorten
from runner.domain.conversation import Run
from runner.domain.report import Finding

MAIN_FIELD = "values"
SCHEMA = {
    "type": "object",
    "description": "The answer is one of these texts, whatever case, quotation marks, emphasis or full stop it has.",
    "properties": {
        "values": {
            "type": "array",
            "examples": [["a", "b"]],
            "minItems": 2,
            "items": {"type": "string", "minLength": 1},
            "description": "The texts that the answer may be.",
        },
        "inside": {
            "type": "boolean",
            "default": False,
            "description": "With true, the answer may be longer: it must contain exactly one of the texts, "
            "as whole words.",
        },
        "case": CASE,
    },
    "required": ["values"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example("one_of: [Berlin, Paris]", "**Paris.**", PASSES),
    Example("one_of: {values: ['yes', 'no'], inside: true}", "Yes, it does.", PASSES),
    Example("one_of: {values: ['yes', 'no'], inside: true}", "Yes and no.", FAILS),
)

_WRAPPING = " .!*_`\"'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    values: Sequence[str]
    inside: bool = False
    case: bool = False

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for value in self.values:
            core = self._core(value)
            if core in seen:
                raise ValueError(f"{value!r} and {seen[core]!r} can't be told apart")
            seen[core] = value

    def judge(self, run: Run) -> Finding:
        expected = f"one of {', '.join(quote(value) for value in self.values)}"
        found = shorten(run.text)
        chosen = self._chosen_inside(run.text) if self.inside else self._chosen_whole(run.text)
        if len(chosen) == 1:
            return Finding(holds=True, expected=expected, found=found)
        where = "in the answer" if self.inside else "the whole answer"
        reason = f"none of them is {where}"
        if chosen:
            reason = f"the answer contains {' and '.join(quote(value) for value in chosen)}, so it doesn't choose"
        return Finding(holds=False, expected=expected, found=found, reason=reason)

    def _chosen_whole(self, text: str) -> list[str]:
        answers = [answer.strip(_WRAPPING) for answer in readings(text, case=self.case, negative=False, inside=False)]
        return [value for value in self.values if self._core(value) in answers]

    def _chosen_inside(self, text: str) -> list[str]:
        """The values that stand in the text elsewhere than inside a longer value ("red" in "red wine")."""
        chosen = set()
        for reading in readings(text, case=self.case, negative=True):
            answer = reading
            for value in sorted(self.values, key=lambda one: len(self._core(one)), reverse=True):
                core = self._core(value)
                if find_in(answer, core, words=True) >= 0:
                    chosen.add(value)
                    answer = _without(answer, core)
        return [value for value in self.values if value in chosen]

    def _core(self, value: str) -> str:
        wanted = normalise_wanted(value, case=self.case)
        return wanted.strip(_WRAPPING) or wanted


def _without(text: str, part: str) -> str:
    """The text with each whole-word occurrence of `part` replaced by a character that is in no value."""
    pieces, end = [], 0
    for place in find_all(text, part, words=True):
        pieces.append(text[end:place])
        end = place + len(part)
    return "\x00".join([*pieces, text[end:]])
