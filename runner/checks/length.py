"""The answer has so many characters, words or sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer
from runner.checks._limits import check_limits, judge_amount, limits_schema
from runner.checks._text import shown_text
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding

MAIN_FIELD = "max"
SCHEMA = {
    "type": "object",
    "description": "The answer isn't longer, or shorter, than this. A word is what stands between spaces and has a "
    "letter or digit; in scripts without spaces each character of Chinese, Japanese and Thai is one. A sentence ends "
    "with . ! ? … or their kin before a space, or with its paragraph, so abbreviations (e.g. this one) count as ends.",
    "properties": {
        **limits_schema("of them", example=50),
        "of": {
            "type": "string",
            "enum": ["words", "characters", "sentences"],
            "default": "words",
            "description": "What is counted. Characters are those of the answer as it came, Markdown included.",
        },
    },
    "minProperties": 1,
    "additionalProperties": False,
}
EXAMPLES = (
    Example("length: 50", "You pay **$39.25**, tip included.", PASSES),
    Example("length: {max: 1, of: sentences}", "It costs 39.25. Anything else?", FAILS),
    Example("length: {min: 20, max: 160, of: characters}", "No.", FAILS),
    Example("length: 50", an_answer("You pay", status=RunStatus.INCOMPLETE), BREAKS),
)

_WORD = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|"
    "[^\\s\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_END = re.compile(r"[.!?…]++(?=[\s\"'”’)\]*_]|\Z)|[。！？\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    max: int | None = None
    min: int | None = None
    of: str = "words"

    def __post_init__(self) -> None:
        check_limits(self.min, self.max)

    def judge(self, run: Run) -> Finding:
        return judge_amount(self._count(run.text), self.min, self.max, unit=self.of)

    def _count(self, text: str) -> int:
        if self.of == "characters":
            return len(text.strip())
        shown = shown_text(text)
        parts = _WORD.findall(shown) if self.of == "words" else _END.split(shown)
        return sum(any(map(str.isalnum, part)) for part in parts)
