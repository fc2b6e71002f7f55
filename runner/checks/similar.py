"""The answer resembles a text, by a measure that is worked out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer
from runner.checks._text import CASE, normalise, normalise_wanted, quote, shorten, shown_text
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "value"
_ROUGE = tuple(f"rouge_{length}" for length in "12345l")
SCHEMA = {
    "type": "object",
    "description": "The answer resembles this text, by 0 (in nothing) to 1 (in all). It compares characters or words, "
    "not meaning: 'You pay 39.25' and 'You pay 93.25' are much alike. All but `fuzzy_match` and `levenshtein` need the "
    "extra `similarity`.",
    "properties": {
        "value": {
            "type": "string",
            "examples": ["A refund takes 30 days."],
            "minLength": 1,
            "maxLength": 100_000,
            "description": "The text to compare the answer with.",
        },
        "by": {
            "type": "string",
            "enum": ["fuzzy_match", "levenshtein", "bleu", "gleu", "meteor", *_ROUGE],
            "default": "fuzzy_match",
            "description": "The measure. `fuzzy_match`: characters in common (rapidfuzz's ratio); `levenshtein`: 1 "
            "less the share of characters to change; `bleu` (smoothed), `gleu`, `meteor` (words and stems only) "
            "by nltk; `rouge_1` to `rouge_5` and `rouge_l` (the F-measure) by rouge-score.",
        },
        "threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": Decimal("0.8"),
            "description": "The least likeness that passes.",
        },
        "case": CASE,
    },
    "required": ["value"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example("similar: A refund takes 30 days.", "A **refund** takes thirty days.", PASSES),
    Example("similar: {value: A refund takes 30 days., by: rouge_l, threshold: 0.7}", "We refund in 30 days.", FAILS),
    Example("similar: A refund takes 30 days.", "We don't do that.", FAILS),
    Example("similar: A refund takes 30 days.", an_answer("A refund takes", status=RunStatus.INCOMPLETE), BREAKS),
)
_LONGEST = 200_000
"""Characters that are compared, at most."""
_MOST_WORDS = 3000
"""Words that the measures of words take: some need the square of that."""
_WORDS = re.compile(r"\w+|[^\w\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str
    by: str = "fuzzy_match"
    threshold: Decimal = Decimal("0.8")
    case: bool = False

    def __post_init__(self) -> None:
        wanted = normalise_wanted(self.value, case=self.case)
        if not self.threshold:
            raise ValueError("with `threshold: 0` any answer passes")
        if self._counts_words and len(_WORDS.findall(wanted)) > _MOST_WORDS:
            raise ValueError(f"`by: {self.by}` takes {_MOST_WORDS:,} words at most")

    def judge(self, run: Run) -> Finding:
        wanted = normalise_wanted(self.value, case=self.case)
        answer = normalise(shown_text(run.text), case=self.case)
        likeness = self._compare(wanted, answer)
        holds = likeness >= float(self.threshold) - 1e-9
        return Finding(
            holds=holds,
            expected=f"at least {self.threshold:f} like {quote(self.value)} by {self.by}",
            found=f"{likeness:.2f}: {shorten(run.text)}",
            reason="" if holds else f"the likeness is {_below(likeness, float(self.threshold))}",
        )

    def _compare(self, wanted: str, answer: str) -> float:
        if not self._counts_words:
            from rapidfuzz import distance, fuzz

            if len(answer) > max(_LONGEST, 100 * len(wanted)):
                return 0.0
            if self.by == "levenshtein":
                return float(distance.Levenshtein.normalized_similarity(wanted, answer))
            return float(fuzz.ratio(wanted, answer)) / 100
        words = _WORDS.findall(answer[: 50 * _MOST_WORDS])
        if len(words) > _MOST_WORDS:
            raise CheckBroken(f"`by: {self.by}` takes {_MOST_WORDS:,} words at most, and the answer has more")
        return _measure(self.by)(_WORDS.findall(wanted), words) if words else 0.0

    @property
    def _counts_words(self) -> bool:
        return self.by not in ("fuzzy_match", "levenshtein")


def _below(likeness: float, threshold: float) -> str:
    """With as many digits as it takes to see that it is less."""
    digits = next((n for n in range(2, 9) if round(likeness, n) < threshold), 9)
    return f"{likeness:.{digits}f}, less than {threshold:g}"


def _measure(name: str) -> Callable[[list[str], list[str]], float]:
    try:
        return _rouge(name) if name in _ROUGE else _of_nltk(name)
    except ImportError as error:
        raise CheckBroken(f"`by: {name}` needs the extra: pip install 'assistant-runner[similarity]'") from error


def _rouge(name: str) -> Callable[[list[str], list[str]], float]:
    from rouge_score.rouge_scorer import RougeScorer

    kind = name.replace("_", "").replace("l", "L")
    scorer = RougeScorer([kind], tokenizer=_Spaces())
    return lambda wanted, found: float(scorer.score(" ".join(wanted), " ".join(found))[kind].fmeasure)


class _Spaces:
    """The library's own tokenizer drops all but a to z and 0 to 9."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def _of_nltk(name: str) -> Callable[[list[str], list[str]], float]:
    if name == "bleu":
        from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

        smoothing = SmoothingFunction().method1
        return lambda wanted, found: float(sentence_bleu([wanted], found, smoothing_function=smoothing))
    if name == "gleu":
        from nltk.translate.gleu_score import sentence_gleu

        return lambda wanted, found: float(sentence_gleu([wanted], found))
    from nltk.translate.meteor_score import single_meteor_score

    return lambda wanted, found: float(single_meteor_score(wanted, found, wordnet=_NoSynonyms()))


class _NoSynonyms:
    """Stands for WordNet, which nltk would have to download."""

    def synsets(self, _word: str) -> list[object]:
        return []
