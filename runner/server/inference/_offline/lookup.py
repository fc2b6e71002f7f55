"""Facts: which kind a question asks for, and the one sentence or line that tells it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.server.inference._offline.answering import answers_word
from runner.server.inference._offline.documents import Document, by_tier
from runner.server.inference._offline.matching import NotSure
from runner.server.inference._offline.question import Lookup, Wanted
from runner.server.inference._offline.references import PAPERS
from runner.server.inference._offline.relevance import is_about, stated_roots
from runner.server.inference._offline.sentences import Sentence, read_sentences
from runner.server.inference._offline.values import find_value
from runner.server.inference._offline.vocabulary import NEGATIONS, PRICE_NOUNS
from runner.server.inference._offline.words import content_roots, read_roots, read_words, root

_POLITE = (
    r"^(?:(?:hi|hello|hey|ok|okay|so|and|but|please|thanks|now|then|(?:can|could) you (?:please )?(?:tell me"
    r"|find|look up|check)"
    r"|(?:please )?tell me|do you know|i (?:want|need|would like) to know|according to [^,]+,)[ ,]+)*"
)
_KINDS = (
    (Wanted.TIME, r"(?:at )?what time\b|(?:at )?which time\b|what is the (?:\w+ )?time\b"),
    (Wanted.WHEN, r"(?:until |by |from |since )?when\b"),
    (Wanted.DAY, r"(?:on )?(?:what|which) (?:date|day|weekday)\b|what is the (?:date|day|weekday)\b"),
    (Wanted.DURATION, r"how long\b"),
    (Wanted.COUNT, r"how many (?P<counted>[a-z-]+)"),
    (
        Wanted.MONEY,
        r"how much (?:is|are|was|were|do|does|did|will|would|for|should)\b|what (?:is|are|was"
        r"|were) the (?:[\w-]+ ){0,4}?(?:price|cost|fee|fare|charge|rate)\b"
        r"|what (?:does|do|did|will|would) [\w -]+ cost\b",
    ),
    (
        Wanted.ANYTHING,
        r"(?:who|whom|whose|where|what|which|on which|on what|in which|in what|at which|from which"
        r"|under what|under which)\b",
    ),
    (Wanted.ANYTHING, r"(?:is|are|was|were|does|do|did|may|can|will|am)\b(?! you\b)"),
)
_BEYOND = re.compile(
    r"\b(?:you think|your (?:opinion|favou?rite|advice)|recommend|suggest|better|best|worth|should (?:i|we)"
    r"|would you|translate|translation"
    r"|write|compose|draft|summari[sz]e|summary|explain|describe|compare|poem|story|joke|imagine|pretend|rewrite|rephrase"
    r"|list|all|why|how (?:do|does|can|could|should|to|would)|what (?:if|should|would|happens)|how about"
    r"|mean(?:ing|s)?)\b"
)
_HARMLESS = re.compile(
    r"^\W*(?:hi|hello|hey|thanks|thank you|please|good (?:morning|evening|afternoon))?(?: there)?\W*$"
    r"|^(?:here is|this is|i (?:have )?(?:attached|uploaded|sent you)|attached is|see) (?:my|our|the|a|an)?[\w ]*$"
)
_ON_PAPER = re.compile(rf" (?:on|in|from|according to) (?:the|my|our|this) (?:attached )?(?:{PAPERS})$")
# Of two words and more: a single one, as "total", stands for too much.
_WHAT_IS_THE = re.compile(r"what (?:is|was) (?:the|my|our) (?P<label>[a-z]+(?: [a-z]+){1,3})")
_LABELLED = re.compile(r"\s*(?P<label>[A-Za-z]+(?: [A-Za-z]+){1,3}) ?: *(?=\S)")
MAX_QUOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A sentence or line that answers; `value` is the typed value in it, "" where the whole is the answer."""

    quote: str
    value: str
    document: Document


def read_lookup(prepared: str) -> Lookup | None:
    """The fact that a prepared text asks for; None unless it asks for one, plainly and alone."""
    text = " ".join(prepared.lower().split())
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]
    asking = [part for part in sentences if part.endswith("?")] or sentences[-1:]
    others = [part for part in sentences if part not in asking]
    if len(asking) != 1 or any(not _HARMLESS.match(part.rstrip(".!")) for part in others):
        return None
    question = _ON_PAPER.sub("", re.sub(_POLITE, "", asking[0]).rstrip(" ?.!"))
    if _BEYOND.search(question):
        return None
    for wanted, pattern in _KINDS:
        found = re.match(pattern, question)
        if found is not None:
            lookup = _lookup(question, wanted, found)
            return replace(lookup, stated=stated_roots(lookup, prepared)) if lookup is not None else None
    return None


def _lookup(question: str, wanted: Wanted, found: re.Match[str]) -> Lookup | None:
    counted = root(found.groupdict().get("counted") or "")
    dropped = PRICE_NOUNS if wanted is Wanted.MONEY else frozenset[str]()
    roots = tuple(one for one in content_roots(question) if one not in dropped)
    return Lookup(text=question, roots=roots, wanted=wanted, counted=counted) if roots else None


def find_fact(lookup: Lookup, documents: Sequence[Document]) -> Fact:
    """The one thing that the documents say about it. Raises NotSure if there is none, or more than one."""
    for group in by_tier(documents):
        if labelled := _find_labelled(lookup, group):
            return labelled
        found = [
            (sentence, document)
            for document in group
            for sentence in read_sentences(document)
            if _covers(sentence, lookup)
        ]
        facts = _best_facts(lookup, found)
        if len({fact.value or fact.quote for fact in facts}) > 1:
            quotes = ", ".join(f"'{fact.quote[:80]}'" for fact in facts[:3])
            raise NotSure(f"several passages could be meant: {quotes}")
        if facts:
            return facts[0]
    raise NotSure("no passage was found that surely tells it")


def _find_labelled(lookup: Lookup, documents: Sequence[Document]) -> Fact | None:
    """The one line "Delivery date: ..." for the question "what is the delivery date"; None if there are others."""
    asked = _WHAT_IS_THE.fullmatch(lookup.text)
    if asked is None:
        return None
    facts = {
        line.strip(): Fact(quote=line.strip(), value="", document=document)
        for document in documents
        for line in document.lines
        if len(line) <= MAX_QUOTE and (found := _LABELLED.match(line)) and found["label"].lower() == asked["label"]
    }
    return next(iter(facts.values())) if len(facts) == 1 else None


def _covers(sentence: Sentence, lookup: Lookup) -> bool:
    own = sentence.roots & set(lookup.roots)
    is_complete = bool(own) and lookup.stated <= own and set(lookup.roots) <= sentence.roots | sentence.context_roots
    return is_complete and is_about(lookup, sentence.text, sentence.context_roots)


def _best_facts(lookup: Lookup, found: Sequence[tuple[Sentence, Document]]) -> tuple[Fact, ...]:
    facts: list[tuple[int, Fact]] = []
    for sentence, document in found:
        value = _value(lookup, sentence)
        if value is not None and len(sentence.text) <= MAX_QUOTE:
            rank = 2 * len(sentence.roots & set(lookup.roots)) + _defines(sentence, lookup)
            facts.append((rank, Fact(quote=sentence.text, value=value, document=document)))
    best = max((rank for rank, _ in facts), default=0)
    return tuple(fact for rank, fact in facts if rank == best)


def _value(lookup: Lookup, sentence: Sentence) -> str | None:
    """The typed value in a sentence, "" where the sentence itself is the answer, None if it is no answer."""
    is_defined = _defines(sentence, lookup)
    if len(lookup.roots) < 2 and not is_defined:
        return None
    if lookup.wanted is Wanted.ANYTHING:
        return "" if answers_word(lookup, sentence, is_defined=is_defined) else None
    negated = NEGATIONS & set(read_words(sentence.text)) - set(read_words(lookup.text))
    return None if negated else find_value(lookup, sentence.text)


def _defines(sentence: Sentence, lookup: Lookup) -> bool:
    """Whether the sentence is "<what was asked for>: <value>", or "... is <value>"."""
    words = r"[^:|]{1,60}?"
    found = re.match(
        rf"^(?:your |our |the |my )?(?P<label>{words})(?:\s*[:|]\s*|\s{{2,}}|\s+[-–—]\s+| (?:is|are|was|will be"
        r"|is served|from|at|on) |\s+(?=\d|[A-Z]\d))\S",
        sentence.text,
        re.IGNORECASE,
    )
    return found is not None and read_roots(found["label"]) - {"your", "the", "our"} == set(lookup.roots)
