"""The answer resembles a text, by a measure that is worked out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, choice, field, flag, parameters, text_field
from runner.checks._text import CASE, normalise, normalise_wanted, quote, shorten, shown_text, undecorated
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "value"
_ROUGE = tuple(f"rouge_{length}" for length in "12345l")
_OF_WORDS = ("bleu", "gleu", "meteor", *_ROUGE)
SCHEMA = parameters(
    "The answer resembles this text, by 0 (in nothing) to 1 (in all), and has the same numbers and negations. It "
    "compares characters or words, not meaning: another name or verb may be a small difference. All but `fuzzy_match` "
    "and `levenshtein` need the extra `similarity`.",
    required=["value"],
    value=text_field("The text to compare the answer with.", "A refund takes 30 days.", maxLength=100_000),
    by=choice(
        "The measure. `fuzzy_match`: characters in common (rapidfuzz's ratio); `levenshtein`: 1 less the share of "
        "characters to change; `bleu` (smoothed), `gleu`, `meteor` (words and stems only) by nltk; `rouge_1` to "
        "`rouge_5` and `rouge_l` (the F-measure) by rouge-score.",
        ["fuzzy_match", "levenshtein", *_OF_WORDS],
        default="fuzzy_match",
    ),
    threshold=field("number", "The least likeness that passes.", minimum=0, maximum=1, default=Decimal("0.8")),
    facts=flag(
        "The numbers of the text, in the order in which each comes first, with their units, and as many negations "
        "(not, never, un-) have to be in the answer, too, however much they resemble each other: neither '60 days' "
        "nor '30 hours' is '30 days'; nor may the answer have the opposite of some words (open, at most). Of numbers "
        "in words and opposites, English ones are known. With false, the likeness alone decides.",
        default=True,
    ),
    case=CASE,
)
EXAMPLES = (
    Example("similar: A refund takes 30 days.", "A **refund** takes thirty days.", PASSES),
    Example("similar: {value: A refund takes 30 days., by: rouge_l, threshold: 0.7}", "We refund in 30 days.", FAILS),
    Example("similar: A refund takes 30 days.", "A refund takes 60 days.", FAILS),
    Example("similar: {value: A refund takes 30 days., facts: false}", "A refund takes 60 days.", PASSES),
    Example("similar: A refund takes 30 days.", "We don't do that.", FAILS),
    Example("similar: A refund takes 30 days.", an_answer("A refund takes", status=RunStatus.INCOMPLETE), BREAKS),
)
_LONGEST = 200_000
"""Characters that are compared, but where more of them could reach the threshold."""
_MOST_WORDS = 3000
"""Words that the measures of words take: some need the square of that."""
_WORDS = re.compile(r"\w+|[^\w\s]+")
_GROUPS = re.compile(r"(?<=\d)[,' ](?=\d{3}(?!\d))")
_COMMA = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d))")
_NUMERALS = re.compile(r"((?:(?<![^\s(])-)?\d+(?:\.\d+)?)( ?%| per ?cent(?!\w)| prozent| pour cent| por ciento)?")
_WITH_UNITS = re.compile(r"([$€£¥₹])? ?(\d[\d.]*)(?:[ -]?([$€£¥₹]|[^\W\d_]{1,20}))?")
_SHORT_UNITS = frozenset("$ € £ ¥ ₹ am pm m km cm mm g kg l ml h hr mb gb kb tb".split())
_OPPOSITES = [
    pair.split("/")
    for pair in (
        "least/most more/less before/after minimum/maximum above/below over/under first/last open/closed opens/closes "
        "approved/denied accepted/rejected enabled/disabled true/false increased/decreased included/excluded on/off"
    ).split()
]
_NEGATIONS = re.compile(
    r"(?<!\w)(?:not(?! only)|no|never|none|nothing|nobody|cannot|neither|nor|without|non|nicht|kein\w{0,2}|nie|niemals"
    r"|ohne|weder|pas|jamais|aucun\w{0,2}|sans|ni|nunca|jamás|ningun\w?|ningún|sin|não|nem|sem|nenhum\w?|mai|senza"
    r"|nessun\w?|niet|geen|nooit|zonder|ikke|inte|ingen|utan|uden|nie|bez|не|нет|без|нельзя|никогда|değil|yok|tidak"
    r"|bukan|không|ei|ليس|لا|لن|لم|نہیں|नहीं|न)(?!\w)|n't(?!\w)|[不没沒無无非未]|ません|ない|않|없|아니|(?<=\w)(?:maz|mez)(?!\w)"
)
_LETTERS = re.compile(r"[^\W\d_]{2,40}")
_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non")


def prepare(*written: Mapping[str, object]) -> None:
    """The libraries of some measures take seconds to import."""
    from runner.checks._units import read_locale_files

    read_locale_files()
    for by in sorted({str(one["by"]) for one in written if "by" in one} & set(_OF_WORDS)):
        with suppress(CheckBroken):
            _measure(by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str
    by: str = "fuzzy_match"
    threshold: Decimal = Decimal("0.8")
    facts: bool = True
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
        reason = ""
        if likeness < float(self.threshold) - 1e-9:
            reason = f"the likeness is {_below(likeness, float(self.threshold))}"
        elif self.facts:
            reason = _other_facts(_plain(self.value), _plain(run.text))
        return Finding(
            holds=not reason,
            expected=f"at least {self.threshold:f} like {quote(self.value)} by {self.by}",
            found=f"{likeness:.2f}: {shorten(run.text)}",
            reason=shorten(reason),
        )

    def _compare(self, wanted: str, answer: str) -> float:
        if not self._counts_words:
            from rapidfuzz import distance, fuzz

            most = 2 * len(wanted) / (len(wanted) + len(answer) or 1)
            if len(answer) > _LONGEST and most < self.threshold:
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
        return self.by in _OF_WORDS


def _plain(text: str) -> str:
    return normalise(undecorated(shown_text(text, struck=False)), case=False)


def _other_facts(wanted: str, answer: str) -> str:
    """Which numbers or negations of two texts differ; "" if none do."""
    if not any(one == other for one in _numbers(wanted) for other in _numbers(answer)):
        said, due = (", ".join(_numbers(text)[0]) or "none" for text in (answer, wanted))
        return f"its numbers are others: {said}, not {due}"
    found, needed = _units(answer), _units(wanted)
    unlike = [one for one in found.keys() & needed.keys() if found[one].isdisjoint(needed[one])]
    if unlike:
        said, due = (", ".join(sorted(units[unlike[0]])) for units in (found, needed))
        return f"its {unlike[0]} has another unit: {said}, not {due}"
    negations = len(_NEGATIONS.findall(answer)) - len(_NEGATIONS.findall(wanted))
    if negations:
        return f"it has {'more' if negations > 0 else 'fewer'} negations (not, never, without)"
    words, others = (set(_LETTERS.findall(text)) for text in (wanted, answer))
    for one, other in ((words - others, others - words), (others - words, words - others)):
        pairs = [(word, word.removeprefix(prefix)) for word in one if len(word) > 3 for prefix in _PREFIXES]
        opposite = next((this for this, that in (*pairs, *_OPPOSITES) if this in one and that in other), "")
        if opposite:
            return f"only one of them says '{opposite}'"
    return ""


def _numbers(text: str) -> list[tuple[str, ...]]:
    """The numbers of a text in the order in which each comes first; again without "one", which may be no number."""
    from runner.checks._wording import spelled_numbers

    digits = _COMMA.sub(".", _GROUPS.sub("", text))
    found = [(at.start(), _canonical(at[1]) + ("%" if at[2] else "")) for at in _NUMERALS.finditer(digits)]
    spelled = [(place, str(value)) for place, value in spelled_numbers(digits)]
    surely = [(place, value) for place, value in spelled if value != "1"]
    return [tuple(dict.fromkeys(number for _, number in sorted(found + more))) for more in (spelled, surely)]


def _units(text: str) -> dict[str, set[str]]:
    """The currencies and measures beside each number that has some: 30 days, $5, 9 am."""
    from runner.checks._units import CURRENCIES, dimensions, unit_name

    found: dict[str, set[str]] = {}
    for sign, number, word in _WITH_UNITS.findall(_COMMA.sub(".", _GROUPS.sub("", text))):
        sure = [one for one in (sign, word) if len(one) > 2 or one in _SHORT_UNITS]
        units = {unit_name(one) for one in sure if one in ("am", "pm") or dimensions(one)}
        if units:
            found.setdefault(_canonical(number.rstrip(".")), set()).update(units & CURRENCIES or units)
    return found


def _canonical(written: str) -> str:
    whole, _, decimals = written.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole.lstrip('0') or '0'}{f'.{decimals}' if decimals else ''}"


def _below(likeness: float, threshold: float) -> str:
    """With as many digits as it takes to see that it is less."""
    digits = next((n for n in range(2, 9) if round(likeness, n) < threshold), 9)
    return f"{likeness:.{digits}f}, less than {threshold:g}"


@cache
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
