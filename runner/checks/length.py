"""The answer has so many characters, words or sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

import regex

from runner.checks import BREAKS, FAILS, PASSES, Example, Limits, an_answer, choice, limits_schema, parameters
from runner.checks._text import shown_text
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding

MAIN_FIELD = "max"
SCHEMA = parameters(
    "The answer isn't longer, or shorter, than this. A word is what stands between spaces and has a letter or digit; "
    "in scripts without spaces each character of Chinese, Japanese and Thai is one. A sentence ends with . ! ? … or "
    "their kin before a space, or with its line; a full stop ends none before a small letter, or after initials and "
    "common abbreviations (Dr., No., z. B.).",
    least=1,
    **limits_schema("of them", example=50),
    of=choice(
        "What is counted. Characters are those of the answer as it came, Markdown included; what is seen as one, such "
        "as an emoji with its skin tone, is one.",
        ["words", "characters", "sentences"],
        default="words",
    ),
)
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
_END = re.compile(r"[.!?…]++(?=[\s\"'”’)\]*_]|\Z)|[。！？؟।\n]")
_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,3}[.)](?=[ \t])", re.MULTILINE)
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?:[^\W\d_]|dr|mr|mrs|ms|prof|st|vs|approx|ca|inc|ltd|jr|sr|etc|est|dept|rev|hon|capt|sgt|e\.g|i\.e|z\.b"
    r"|d\.h|u\.a|bzw|usw|ggf|evtl|inkl|zzgl|mme|mlle|sra|dra|ud|uds)\Z",
    re.IGNORECASE,
)
_BEFORE_A_NUMBER = re.compile(r"(?<![\w.])(?:no|nos|nr|fig|vol|p|pp|ch|sec|tel|abs|art|núm|pág)\Z", re.IGNORECASE)
_DAY = re.compile(r"(?<!\w)\d{1,2}\Z")
_MONTH = re.compile(r"jan|feb|mär|apr|mai|jun|jul|aug|sep|okt|nov|dez")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Limits):
    of: str = "words"

    def __post_init__(self) -> None:
        Limits.__post_init__(self)
        if self.max is None and self.min == 1 and self.of == "characters":
            raise ValueError("with `min: 1` it can't fail: an answer has a character")

    def judge(self, run: Run) -> Finding:
        return self.judge_amount(self._count(run.text), self.of)

    def _count(self, text: str) -> int:
        if self.of == "characters":
            bare = text.strip().replace("\r\n", "\n")
            return len(bare) if bare.isascii() else len(regex.findall(r"\X", bare))
        if self.of == "sentences":
            return _count_sentences(shown_text(_LIST_NUMBER.sub("", text)))
        return sum(any(map(str.isalnum, word)) for word in _WORD.findall(shown_text(text)))


def _count_sentences(text: str) -> int:
    count, start = 0, 0
    for end in (*_END.finditer(text), None):
        if end and end.group() in (".", "...", "…") and _goes_on(text, end.start(), end.end()):
            continue
        count += any(map(str.isalnum, text[start : end.start() if end else None]))
        start = end.end() if end else start
    return count


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a sentence goes on behind the full stop: before a small letter, after an abbreviation."""
    ahead, behind = text[max(0, start - 12) : start], text[end : end + 12].lstrip(" \"'”’)]*_")
    if not behind or text[end : end + 1] == "\n":
        return False
    if behind[0].islower() or text[start:end] != ".":
        return behind[0].islower()
    if behind[0].isdigit() and _BEFORE_A_NUMBER.search(ahead):
        return True
    is_day = _DAY.search(ahead) and _MONTH.match(behind.lower())
    return _ABBREVIATION.search(ahead) is not None or bool(is_day)
