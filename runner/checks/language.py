"""The answer is in a language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from runner.checks import BREAKS, FAILS, PASSES, Example, field, parameters
from runner.checks._text import shorten, shown_text
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The answer is in this language. It needs the extra `language` (py3langid, 97 languages). A text of few words, or "
    "one that close relatives (Danish and Norwegian) could be, is an error, not a pass; so is one with a sentence in "
    "another language.",
    required=["value"],
    value=field("string", "The language by its two letters in ISO 639-1: en, de, fr, ja.", "de", pattern="^[a-z]{2}$"),
)
EXAMPLES = (
    Example("language: de", "Die Rückerstattung dauert 30 Tage ab Kaufdatum.", PASSES),
    Example("language: de", "The refund takes 30 days from the date of purchase.", FAILS),
    Example("language: de", "39.25", BREAKS),
)
_NOT_PROSE = re.compile(r"```.{0,20000}?(?:```|\Z)|https?://\S{1,2000}|[\d_]+", re.DOTALL)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_MOST_SENTENCES = 50
_LETTERS_NEEDED = 12
_LONGEST = 4000
"""Characters that are looked at."""
_SURE, _POSSIBLE = 0.5, 0.1
_SCRIPTS = (
    (re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), {"el"}),
    (re.compile("[\u0400-\u052f]"), {"ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn"}),
    (re.compile("[\u0590-\u05ff]"), {"he"}),
    (re.compile("[\u0600-\u06ff]"), {"ar", "fa", "ur", "ps", "ug"}),
    (re.compile("[\u0900-\u097f]"), {"hi", "mr", "ne"}),
    (re.compile("[\u0e00-\u0e7f]"), {"th"}),
    (re.compile("[\u3040-\u30ff]"), {"ja"}),
    (re.compile("[\u3400-\u9fff]"), {"zh", "ja"}),
    (re.compile("[\uac00-\ud7ff]"), {"ko"}),
)
"""Scripts with the languages that are written in them; Han with kana between is Japanese."""


def prepare(*_written: object) -> None:
    try:
        _identifier()
    except ImportError:
        return  # each judgement says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str

    def judge(self, run: Run) -> Finding:
        text = shown_text(_NOT_PROSE.sub(" ", run.text[: 4 * _LONGEST]))[:_LONGEST]
        ranked = _rank(text)
        if self.value not in ranked:
            raise CheckBroken(f"{self.value} is none of the {len(ranked)} languages that are known")
        letters = sum(map(str.isalpha, text))
        weight = 3 if any(char > "\u2e80" for char in text) else 1
        if letters * weight < _LETTERS_NEEDED:
            raise CheckBroken("the answer has too few letters to tell its language")
        best, chance = max(ranked.items(), key=lambda one: one[1])
        if written := _languages_of_its_script(text):
            best, chance = max((one for one in ranked.items() if one[0] in written), key=lambda one: one[1])
            chance = 1.0 if self.value not in written else max(chance, _SURE)
        if best != self.value and (ranked[self.value] >= _POSSIBLE or chance < _SURE):
            raise CheckBroken(f"the answer may be in {best} or {self.value}: it is too short to tell")
        if best == self.value and (other := self._other_in(text)):
            raise CheckBroken(f"the whole reads as {best}, a part of it as {other}")
        return Finding(
            holds=best == self.value,
            expected=f"an answer in {self.value}",
            found=f"{best}: {shorten(run.text)}",
            reason="" if best == self.value else f"the answer reads as {best}",
        )

    def _other_in(self, text: str) -> str:
        """The language that some sentence is in which surely isn't in the wanted one."""
        for sentence in _SENTENCES.split(text)[:_MOST_SENTENCES]:
            if sum(map(str.isalpha, sentence)) >= 2 * _LETTERS_NEEDED:
                ranked = _rank(sentence)
                best = max(ranked, key=ranked.__getitem__)
                if ranked[best] > _SURE and ranked[self.value] < _POSSIBLE / 10:
                    return best
        return ""


def _languages_of_its_script(text: str) -> set[str]:
    """The languages that most of the letters may be of; none where it is another script, as the Latin one."""
    counts = [len(letters.findall(text)) for letters, _ in _SCRIPTS]
    letters = sum(map(str.isalpha, text))
    kana, han = counts[6:8]
    if kana and (kana + han) * 2 > letters:
        return {"ja"}
    most = max(counts)
    return _SCRIPTS[counts.index(most)][1] if most * 2 > letters else set()


def _rank(text: str) -> dict[str, float]:
    """How likely each language is."""
    try:
        ranked = _identifier().rank(text)
    except ImportError as error:
        raise CheckBroken("this check needs the extra: pip install 'assistant-runner[language]'") from error
    return {str(code): float(chance) for code, chance in ranked}


@cache
def _identifier() -> Any:
    """It takes a second: the model is packed."""
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
