"""What was said: the one line of a document that answers, and what the user told in the thread.

Such a line says just what is asked, in the question's own words, and is the only one that does. What the user tells is
noted when it is told, and quoted when it is asked for.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runner.server.inference import Answer, Role, SourceMark
from runner.server.inference.offline.amounts import DOUBTFUL
from runner.server.inference.offline.question import (
    CHANGING,
    GOES_ON,
    MAX_MESSAGE_CHARS,
    NEGATIONS,
    UPDATES,
    Line,
    NotSure,
    Question,
    find_restriction,
    prepare,
    read_roots,
    read_words,
    root,
    words_to_digits,
)

# Words of which the answer need have none.
_STRUCTURE = frozenset(
    """
    a an the our my your this that these those of in on at to from for with by and as we i us me you it its they he
    she is are was were be been am have has had having do does did should must will would can could shall may might
    need needs please so how much many what when where who whose whom which why there here tell exactly also into any
    """.split()
)
_MAX_QUOTE = 300
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d\d(?:\s?[ap]\.?m\b\.?)?|\b\d{1,2}\s?[ap]m\b|\bnoon\b|\bmidnight\b", re.IGNORECASE)
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_DAY = re.compile(
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,?\s)?"
    rf"(?:\b\d{{1,2}}(?:st|nd|rd|th)?\s{_MONTH}(?:,?\s\d{{4}}\b)?|\b{_MONTH}\s\d{{1,2}}\b(?:,?\s\d{{4}}\b)?)"
    r"|\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"
)
# Verbs of what happens at a time, in the present: "it opened" tells nothing of when it opens.
_PRESENT = "leave leaves depart departs arrive arrives open opens close closes start starts begin begins end ends"
_EVENTS = {word: root(word) for word in _PRESENT.split()}
_ASKS_TIME = re.compile(
    r"(?:(?:at )?(?P<time>what time)|(?P<any>when)|(?:on )?(?:what|which) (?P<day>date|day)) (?:do|does) (?P<about>.+)"
)
_ASKS_COUNT = re.compile(r"how many (?P<noun>[a-z-]+) (?:may|can|must|does|do) (?P<about>.+)")
_ASKS_THING = re.compile(
    r"(?:(?:what|which) (?P<noun>[a-z]+) do (?:i|we) have(?P<where>(?: (?:in|on) .+)?)"
    r"|(?:what|which) (?:is|are) (?:the|my|our|your) (?P<thing>.+)|(?P<who>who) is (?:the|my|our|your) (?P<person>.+))"
)
# Words that a sentence may have beside those of the question without saying something else.
_PLAIN = frozenset("the a an your our its at on in from to and is are of this".split())
_SPOT = re.compile(
    r"\b(?:from|at|in) (?:the )?(?:platform|gate|bay|terminal|quay|pier|track) [\dA-Z]{1,4}\b(?: of the [a-z ]+)?"
)
_MEASURE = re.compile(
    r"\b(?:of )?(?:up to )?\d+(?:[.,]\d+)? ?(?:kg|g|cm|m|km|l|lb|lbs|pounds|litres|liters)\b", re.IGNORECASE
)
_NEXT_EVENT = re.compile(rf"\s*(?:,|;|\band\b)\s*(?=[^,;]*\b(?:{'|'.join(_EVENTS)})\b)", re.IGNORECASE)
_WORDS = re.compile(r"[td]\d+_|[^\W_]+(?:['-][^\W_]+)*")
_VALUE = re.compile(r"^(?:[\d+(“\"A-Z$€£]|\S*\d)")
_NO_VALUE = re.compile(r"(?i)(?:tb[acd]|n/?a|unknown|pending|see|ask|same|to be|on request|varies|yes|no)\b")
_NUMBERED = {root(word) for word in ("number", "date", "time", "phone")}
# Words that change a sum, and not what is said.
_NAMING = frozenset("each per fee rate deposit tax tip first second third double".split())
_LIMITS = frozenset("if until earlier later late longer only usually instead might".split())
_PRONOUN = re.compile(r"\b(?:it|they|this|that|these|those)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The words that the line of a fact must have, and what tells it: time, day, day or time, count, is, who."""

    roots: frozenset[str]
    tells: str


def answer(question: Question) -> Answer | None:
    """The line, quoted; with the time, date or number at the end where one was asked for."""
    asked = _read(prepare(question.message.text))
    if asked is None:
        return None
    documents = question.search([" ".join(_content_words(prepare(question.message.text)))])
    lines = [(line, document) for document in documents for line in document.sentences]
    found = {(quote, value): document for line, document in lines for quote, value in _tell(asked, line)}
    for (line, document), (after, other) in itertools.pairwise(lines):
        goes_on = document is other and GOES_ON.match(after.text) and _EVENTS.keys().isdisjoint(read_words(after.text))
        if goes_on and any(_tell(asked, line)):
            raise NotSure(f"'{after.text}' may change what '{line.text}' says")
    rivals = {line.text for line, _ in lines if _may_tell(asked, line.text)} - {quote for quote, _ in found}
    if found and (rivals or len({value for _, value in found}) > 1):
        raise NotSure("several passages could be meant")
    for (quote, value), document in found.items():
        if DOUBTFUL.search(quote):
            raise NotSure(f"the amount in '{quote}' is not clear")
        text = f"{document.filename} says: “{quote}”"
        mark = SourceMark(position=len(text), file_id=document.file_id, filename=document.filename, quote=quote)
        so = "" if quote.rstrip(".").endswith(value.rstrip(".")) else f" So: {value}."
        return Answer(text=text + so, sources=(mark,))
    # What would tell it under no heading is named: people don't see the lines of a PDF as they are read.
    for line, _ in lines:
        if line.headings and any(_tell(asked, replace(line, headings=()))):
            raise NotSure(f"the line that tells it stands under '{line.headings[-1]}', which may narrow it")
    raise NotSure("no passage was found that surely tells it")


def _content_words(text: str) -> tuple[str, ...]:
    """The words that carry meaning, in order, each once."""
    return tuple(dict.fromkeys(word for word in read_words(text) if word not in _STRUCTURE))


def _content_roots(text: str) -> frozenset[str]:
    return frozenset(map(root, _content_words(text)))


def _read(prepared: str) -> _Asked | None:
    """What a question asks for; None if it is not one plain question of these kinds."""
    text = re.sub(r"^(?:(?:hi|hello|hey|ok|okay|so|and|please|thanks)[ ,]+)*", "", " ".join(prepared.lower().split()))
    if not re.fullmatch(r"[^.?!,;:]+\?", text):
        return None
    text = text.rstrip(" ?")
    if found := _ASKS_TIME.fullmatch(text):
        roots = _content_roots(found["about"])
        tells = "time" if found["time"] else "day" if found["day"] else "day or time"
        has_event = len(roots & set(_EVENTS.values())) == 1 and len(roots) > 1
        return _Asked(roots=roots, tells=tells) if has_event else None
    if found := _ASKS_COUNT.fullmatch(text):
        return _Asked(roots=frozenset({root(found["noun"]), *_content_roots(found["about"])}), tells="count")
    if found := _ASKS_THING.fullmatch(text):
        about = found["thing"] or found["person"] or f"{found['noun']} {found['where']}"
        roots, is_who = _content_roots(about), found["who"] is not None
        is_short = len(roots) < (1 if is_who else 2)
        return None if is_short else _Asked(roots=roots, tells="who" if is_who else "is")
    return None


def _tell(asked: _Asked, line: Line) -> Iterator[tuple[str, str]]:
    """The line with its value, if it surely tells what is asked."""
    text = words_to_digits(_MEASURE.sub("", line.text)) if asked.tells == "count" else line.text
    if len(text) > _MAX_QUOTE or text.rstrip().endswith("?") or not asked.roots <= read_roots(text):
        return
    # A word that changes what is said must be in the question as well.
    words = {word for word in read_words(text) if word in CHANGING or word in NEGATIONS}
    if find_restriction(line.headings, asked.roots) or not {root(word) for word in words} <= asked.roots | _NAMING:
        return
    if asked.tells in {"is", "who"}:
        value = line.text if _is_defined(asked, line.text) else ""
    else:
        value = _find_count(asked, text) if asked.tells == "count" else _find_time(asked, text)
    if value:
        yield line.text, value


def _may_tell(asked: _Asked, text: str) -> bool:
    """Whether a line has something to say on what is asked, even if it isn't clear that it answers."""
    roots = read_roots(text)
    if asked.roots - {"number", "each"} <= roots and re.search(r"\d", words_to_digits(text)):
        return True
    is_on_it = asked.roots <= roots and re.search(r":|\b(?:is|are|may|must|can|will)\b", text)
    if is_on_it or (UPDATES.search(text) and not asked.roots.isdisjoint(roots)):
        return True
    event = asked.roots & set(_EVENTS.values())
    speaks_of_it = asked.roots - event <= roots or (event <= roots and _PRONOUN.search(text) is not None)
    is_limited = _CLOCK.search(text) or not (_LIMITS | NEGATIONS).isdisjoint(read_words(text))
    return bool(event and speaks_of_it and is_limited)


def _is_defined(asked: _Asked, text: str) -> bool:
    """Whether it is "<what was asked for>: <value>", or "<what was asked for> is <value>", and nothing narrower."""
    label, colon, value = text.partition(": ")
    if not colon:
        sides = re.split(r"\b(?:is|are)\b ", text)
        label, value = sides if len(sides) == 2 else (text, "")
        if not _VALUE.search(value):
            return False
    value = value.strip()
    words = set(read_words(label)) - _PLAIN
    if not value or {root(word) for word in words} != set(asked.roots):
        return False
    if asked.tells == "who":  # A first name and a last one: a single word may be a place.
        return re.match(r"[A-Z][\w'’.-]*[a-z] [A-Z]", value) is not None
    has_value = not _NO_VALUE.match(value) and any(char.isalnum() for char in value)
    return has_value and (not _NUMBERED & asked.roots or re.search(r"\d", words_to_digits(value)) is not None)


def _find_time(asked: _Asked, text: str) -> str:
    """The one time that a clause tells of the event; "" if there is none, or anything beside it."""
    values: list[str] = []

    def mark(found: re.Match[str]) -> str:
        values.append(found[0].strip())
        return f" {'d' if len(values[-1].split()) > 1 or _DAY.fullmatch(values[-1]) else 't'}{len(values) - 1}_ "

    marked = _CLOCK.sub(mark, _DAY.sub(mark, _SPOT.sub("", text)))
    clauses = [clause for clause in _NEXT_EVENT.split(marked) if clause.strip()]
    subject = _WORDS.findall(clauses[0].lower())
    subject = subject[: next((index for index, word in enumerate(subject) if word in _EVENTS), 0)]
    fitting = [_value_of_clause(asked, clause, subject) for clause in clauses]
    if None in fitting or not (told := [one for one in fitting if one]) or re.search(r"\bfrom\s+[td]\d", marked):
        return ""
    return values[int(told[0][1:-1])] if len(told) == 1 else ""


def _value_of_clause(asked: _Asked, clause: str, subject: Sequence[str]) -> str | None:
    """The mark of the time that a clause tells of the event, "" if it tells of another; None if it tells no time."""
    words = _WORDS.findall(clause.lower())
    marks = {letter: [word for word in words if word[0] == letter and word[-1] == "_"] for letter in "td"}
    events = [word for word in words if word in _EVENTS]
    if len(events) != 1 or not (marks["t"] or marks["d"]):
        return None
    own = [*(subject if words[0] in _EVENTS else ()), *words]
    roots = {root(word) for word in own if word[-1] != "_" and word not in _PLAIN}
    wanted = marks["d"] if asked.tells == "day" else marks["t"] or (marks["d"] if asked.tells == "day or time" else [])
    # What opens at a time on a day needs not open at it on others; what leaves does so once.
    is_every_day = wanted == marks["t"] and marks["d"] and _EVENTS[events[0]] not in {root("leave"), root("arrive")}
    return wanted[0] if len(wanted) == 1 and roots == asked.roots and not is_every_day else ""


def _find_count(asked: _Asked, text: str) -> str:
    """The one number of what was counted; "" if there is none, or anything beside it."""
    clauses = re.split(r"\s*(?:,|;|\band\b)\s*(?=\d)", text.lower())
    subject = re.split(r"\d", clauses[0])[0]
    found = [
        re.findall(r"\d+(?:[.,]\d+)*", clause)
        for clause in (clauses[0], *(subject + clause for clause in clauses[1:]))
        if {one for one in _content_roots(clause) if not one[0].isdigit()} == asked.roots
    ]
    return found[0][0] if len(found) == 1 and len(found[0]) == 1 else ""


_OWN = r"(?:my|our) (?P<thing>[a-z][\w' -]*?)"
_TELLS = re.compile(
    rf"(?i)(?:{_OWN}|(?:the|this) [\w' -]+|i|we|there) (?:is|am|are|was|were|has|have(?! to)|costs?|paid|spent|booked"
    r"|live|stay|do not eat|like|bought|will (?:arrive|leave|stay))\b"
)
_REQUESTS = re.compile(
    r"(?i)\b(?:please|want|need|would|wish|hope|looking for|help|tell|show|give|find|how|why|which|what|when|where|who"
    r"|know|trying|question|problem|wrong|send|order|refund|cancel|should|me)\b"
)
_CLAUSE_END = re.compile(r"\s*(?:[,;](?!\d)|[.!]+$|\band\b)\s*")
CORRECTS = re.compile(r"\b(?:actually|correction|instead|changed|now|sorry|new|no longer|i meant)\b", re.IGNORECASE)
# What is said of a person's things, and of what a person does; and what asks for it.
_STATES = re.compile(rf"{_OWN}(?: for (?:the|our|my|this) trip)? (?P<be>is|are|was|were) (?P<value>.+)", re.IGNORECASE)
_DOES = re.compile(r"(?P<who>i|we) (?:(?P<be>am|are) )?(?P<does>\S+) (?P<value>.+)", re.IGNORECASE)
_RECALLS = re.compile(
    r"(?:and |so |but )*(?P<asks>what time|what|where|when|who) (?:"
    rf"(?:(?P<be>is|are|was|were)|did (?:i|we) (?:say|tell you|mention)(?: that)?) {_OWN}(?(be)| (?:is|are|was|were))"
    r"|(?P<do>am|are|do) (?P<who>i|we) (?P<does>[^ ?]+)(?P<rest>[^?]*))[ ?.!]*"
)
_KINDS_OF_VALUE = {
    "what time": _CLOCK,
    "when": re.compile(f"{_CLOCK.pattern}|{_DAY.pattern}", re.IGNORECASE),
    "where": re.compile(r"\b(?:in|at|to|near) (?:the )?[A-Z]"),
    "who": re.compile(r"^[A-Z][a-z]"),
}
_NOTED = "Noted: "
# Words that may take back, or narrow, what a sentence says.
_DOUBTS = CHANGING | NEGATIONS | {"suppose", "imagine", "pretend", "assume", "old", "former"}


def recall(question: Question) -> Answer | None:
    """A note of what is told, or the one sentence of the user's that says what is asked, in the same words."""
    text = question.message.text
    sentences = _read_sentences(text)
    if sentences and all(_is_told(one) for one in sentences):
        return Answer(text=f"{_NOTED}“{' '.join(text.split())}”")
    asked = _RECALLS.fullmatch(" ".join(prepare(text).lower().split()))
    if asked is None:
        return None
    found = ""
    for message, reply in itertools.pairwise(question.scene.messages):
        is_used = reply.role is Role.ASSISTANT and not reply.declined and not reply.text.startswith(_NOTED)
        for said in read_statements(message.text) if message.role is Role.USER else ():
            has_doubt = _DOUBTS & (set(read_words(prepare(said))) - set(read_words(asked[0])))
            is_told = not has_doubt and any(_says(clause, asked) for clause in _read_clauses(said))
            if found and (is_told or not (is_used or _is_on_else(said, asked))) and said != found:
                raise NotSure(f"'{said[:80]}' may change what you said before")
            found = said if is_told else found
    if asked["thing"] and not asked["be"] and not found:
        raise NotSure("I find nothing about it in what you said")
    return Answer(text=f"You said: “{found}”") if found else None


def read_statements(text: str) -> tuple[str, ...]:
    """The sentences of a message that ask nothing."""
    return tuple(sentence for sentence in _read_sentences(text) if not sentence.endswith("?"))


def _read_sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text[:MAX_MESSAGE_CHARS]) if part.strip()]


def _read_clauses(sentence: str) -> list[str]:
    return [one for one in _CLAUSE_END.split(" ".join(prepare(sentence).split())) if one]


def _is_told(sentence: str) -> bool:
    """Whether a sentence says how something is, and neither asks nor orders."""
    is_request = sentence.endswith("?") or _REQUESTS.search(prepare(sentence))
    clauses = [one for one in _read_clauses(sentence) if not CORRECTS.fullmatch(one)]
    return not is_request and bool(clauses) and all(_TELLS.match(one) for one in clauses)


def _says(clause: str, asked: re.Match[str]) -> bool:
    """Whether it says just what is asked, with a value of the kind that is asked for."""
    states, does, kind = _STATES.fullmatch(clause), _DOES.fullmatch(clause), _KINDS_OF_VALUE.get(asked["asks"], _VALUE)
    if asked["thing"] and states:
        is_same = states["thing"].lower() == asked["thing"] and asked["be"] in {None, states["be"].lower()}
        return is_same and kind.search(states["value"]) is not None
    if not asked["does"] or not does or not set(read_words(asked["rest"])) <= set(read_words(does["value"])):
        return False
    is_same = [does["who"].lower(), does["be"] or "do", does["does"]] == [asked["who"], asked["do"], asked["does"]]
    return is_same and (asked["asks"] == "what" or kind.search(does["value"]) is not None)


def _is_on_else(said: str, asked: re.Match[str]) -> bool:
    """Whether a sentence surely leaves it as it is: it says what something else of the user's is."""
    states = [_STATES.fullmatch(one) for one in _read_clauses(said)]
    is_else = all(one and one["thing"].lower() != asked["thing"] for one in states)
    return bool(asked["thing"]) and is_else and not CORRECTS.search(said)
