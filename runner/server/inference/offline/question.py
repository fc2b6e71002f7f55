"""What a kind of question is given: the message, the thread, the tools as far as they were asked, and the documents.

First words and numbers as people write them: contractions written out, endings undone, amounts read and written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from text_to_num import alpha2digit  # type: ignore[import-untyped]  # the package has no type hints

from runner.server.inference import Passage, Role, Scene, SceneMessage, ToolOutcome, ToolRequest

# Words that change what is asked: a calculation never passes over one of them.
CHANGING = frozenset(
    """
    not no never none nobody nothing neither nor without except excluding excludes exclude minus besides apart only
    just alone but however although unless or either instead rather if when while until unlike more less fewer most
    least cheapest cheaper dearest expensive highest lowest biggest smallest larger smaller greater second fourth
    fifth sixth eighth tenth than same equal double twice thrice triple doubled tripled half halves halved third
    quarter quarters already still again yet later earlier before after then first last next previous once another
    other others extra additional rest remaining left remainder some any several few couple couples many myself
    himself herself themselves yourself who whom whose which where why won lost found earned earns earn gave gives
    give given sold sell sells lent lend borrowed borrow returned return refund refunded refunds discount discounted
    coupon voucher deposit rebate cashback credit debt loan interest prepaid advance change includes included
    include including inclusive covers covered cover added subtract subtracted removed remove cancelled canceled
    cancel skipped skip shared sharing treated treats treat free complimentary increased decreased increase decrease
    reduced reduction rose fell grew raised dropped up down off cut back away out tip tips gratuity tax taxes vat
    surcharge fee fees percent percentage average mean budget save saved saving savings owed owes exchange convert
    converted rate profit loss margin outside ratio probability area perimeter speed hundred thousand million billion k
    per each every apiece always usually maybe perhaps about around approximately roughly almost nearly children child
    kid kids adult adults baby infant senior seniors student students monthly weekly daily yearly annually month
    months year years minimum maximum quantity dozen dozens pair pairs
    """.split()
)

PREPOSITIONS = frozenset("of in on at for from to with by near into towards between until before after".split())
NEGATIONS = frozenset(
    "not no never none nobody nothing neither nor without except excluding unless closed cannot cancelled".split()
)

_CONTRACTIONS = (
    (r"\bwon't\b", "will not"),
    (r"\b(?:can't|cannot)\b", "can not"),
    (r"n't\b", " not"),
    (r"\b(what|how|who|where|when|that|there|here|it|he|she)'s\b", r"\1 is"),
    (r"'re\b", " are"),
    (r"\bi'm\b", "i am"),
    (r"&", " and "),
)
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def prepare(text: str) -> str:
    """The text with plain quotes, written-out contractions and digits for number words; letters keep their case."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[#~^\x00]", " ", text)  # they mark places in shapes and drafts
    text = re.sub(r"[’‘ʼ]", "'", text).replace("×", " x ").replace("“", '"').replace("”", '"')
    for pattern, plain in _CONTRACTIONS:
        text = re.sub(pattern, plain, text, flags=re.IGNORECASE)
    text = words_to_digits(text)
    text = re.sub(r"(?<![\w.])(\d+)-(?=[a-z])", r"\1 ", text)
    return re.sub(r"(?<![\w.])(\d+) ?x (?=[a-z])", r"\1 ", text, flags=re.IGNORECASE)


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """The word without its plural or verb ending."""
    word = word.lower()
    for ending, rest in (("'s", ""), ("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + rest
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    return word


@lru_cache(maxsize=16_384)
def root(word: str) -> str:
    """The stem without a verb's ending: "changed", "changing" and "change" have the same."""
    short = stem(word)
    for ending in ("ing", "ed", "e"):
        if short.endswith(ending) and len(short) > max(5, len(ending) + 3):
            return short[: -len(ending)]
    return short


def read_words(text: str) -> tuple[str, ...]:
    """All words in lower case, digits included, in order."""
    return tuple(_WORD.findall(text.lower()))


def read_roots(text: str) -> frozenset[str]:
    """The roots of all words of a text; parts of hyphenated words too."""
    words = read_words(text)
    return frozenset(root(one) for word in words for one in (word, *(word.split("-") if "-" in word else ())))


_ORDINAL = re.compile(
    r"\b((?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth)s?)\b", re.IGNORECASE
)


def words_to_digits(text: str) -> str:
    """The text with English number words as digits ("seventeen", "a dozen")."""
    text = re.sub(r"\bno one\b", "nobody", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(which|that|this|the|each|every|any|some) one\b", r"\1", text, flags=re.IGNORECASE)
    # Ordinals stay words: "the third suitcase" names a thing.
    return "".join(piece if _ORDINAL.fullmatch(piece) else _convert(piece) for piece in _ORDINAL.split(text))


def _convert(text: str) -> str:
    """`alpha2digit`, which drops the white space at either end."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return text[:start] + str(alpha2digit(text.strip(), "en", 0)) + text[end:] if text.strip() else text


FILE_SEARCH, CODE = "file_search", "code_interpreter"
MAX_MESSAGE_CHARS = 2000
MAX_GIVEN_CHARACTERS = 64_000
"""As much as a search of 20 passages finds. In more, too much is found that fits."""
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|webp)$", re.IGNORECASE)


class NotSure(Exception):
    """The question is of a kind that the rules know, and has no answer that they are sure of; the message says why."""


class ToolNeeded(Exception):
    """There is no answer before this tool has been asked."""

    def __init__(self, request: ToolRequest) -> None:
        super().__init__(request.tool)
        self.request = request


@dataclass(frozen=True, kw_only=True)
class Question:
    """The last message of a scene. Raises NotSure for what no kind can read: nothing, an image, a very long text."""

    scene: Scene

    def __post_init__(self) -> None:
        if not self.scene.messages or self.scene.messages[-1].role is not Role.USER:
            raise NotSure("nothing was asked")
        if any(_IMAGE.search(name) for name in self.message.filenames):
            raise NotSure("it comes with an image")
        if len(self.message.text) > MAX_MESSAGE_CHARS:
            raise NotSure("the question is very long")

    @property
    def message(self) -> SceneMessage:
        return self.scene.messages[-1]

    @cached_property
    def given(self) -> tuple[Passage, ...]:
        """The files that the thread gives to the model itself, each as one passage."""
        files = {file.file_id: file for message in self.scene.messages for file in message.files}
        return tuple(
            Passage(file_id=file.file_id, filename=file.filename, score=1.0, text=file.text) for file in files.values()
        )

    def search(self, queries: Sequence[str]) -> tuple[Document, ...]:
        """What came with the thread, and what file search finds. Raises ToolNeeded before it was asked."""
        if sum(len(passage.text) for passage in self.given) > MAX_GIVEN_CHARACTERS:
            raise NotSure("the files are longer than the rules read; file search finds the place in them")
        found: tuple[Passage, ...] = ()
        if FILE_SEARCH in self.scene.tools and self.scene.has_documents:
            found = self._use(FILE_SEARCH, queries=list(dict.fromkeys(queries))).passages
        elif not self.given:
            raise NotSure("it needs a document, and there is none to search")
        given = {file.file_id for file in self.given}
        return read_documents((*self.given, *(one for one in found if one.file_id not in given)))

    def run(self, program: str) -> str | None:
        """What the program prints; None where no code interpreter is on offer. Raises ToolNeeded before it ran."""
        return self._use(CODE, code=program).output if CODE in self.scene.tools else None

    def _use(self, tool: str, **arguments: object) -> ToolOutcome:
        for one in reversed(self.scene.outcomes):
            if isinstance(one.request, ToolRequest) and one.request.tool == tool:
                if not one.completed:
                    raise NotSure(f"the {tool.replace('_', ' ')} failed")
                return one
        raise ToolNeeded(ToolRequest(tool=tool, arguments=arguments))


# Documents.

# A document is read for facts: a line that talks to whoever reads it by machine, or is struck out, holds none.
_INSTRUCTION = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\b.*\b(?:instruction|prompt|rule|above|previous|prior|everything)"
    r"|\b(?:assistant|chatbot|language model|llm|gpt|claude|system prompt|ai (?:model|agent|reader|system))\b"
    r"|\b(?:you must|always|instead) (?:answer|say|reply|respond|output|tell)\b"
    r"|^\s*(?:say|answer|reply|respond|output)\b(?! by)|~~"
)
_SENTENCE_END = re.compile(r"(?<!\b[A-Z]\.)(?<!\b[A-Za-z][a-z]\.)(?<!\bapprox\.)(?<=[.!?])\s+(?=[A-Z0-9“\"])")
_HEADING = re.compile(r"^[\W_]*\w[^.!?|]{2,70}$")
_VALUE_IN_LINE = re.compile(r"\d[.:]\d\d|:\s*\S|\s{3,}|[$€£]|,$")
# The rest of a sentence that is broken by the page's width may say when it does not hold.
_WRAP = re.compile(r"(?<![.!?:|\n])\n\s*(?=[a-z(])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line, or a sentence. `headings` are those that it stands under, but for the document's title."""

    text: str
    headings: tuple[str, ...]


_UNSEEN = "what comes before this passage"
"""Stands for the headings of a passage whose document was not found from its beginning on."""
_PLAIN = 7  # The level of a heading without "#".


@dataclass(frozen=True, kw_only=True)
class Document:
    """What was found of one file: lines, in parts between which there may be a gap, each with its place in the file."""

    file_id: str
    filename: str
    parts: tuple[tuple[int, tuple[str, ...]], ...]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for position, part in self.parts for line in _under_headings(part, is_begun=position == 0))

    @cached_property
    def sentences(self) -> tuple[Line, ...]:
        """All sentences and lines; those that say the same under the same headings come once."""
        found = (
            Line(text=text, headings=line.headings)
            for position, part in self.parts
            for line in _under_headings(_WRAP.sub(" ", "\n".join(part)).splitlines(), is_begun=position == 0)
            for text in map(_tidy, _SENTENCE_END.split(line.text))
            if text
        )
        return tuple(dict.fromkeys(found))


def read_documents(passages: Iterable[Passage]) -> tuple[Document, ...]:
    """The documents behind passages. What follows one another, and overlaps in whole lines, is one part."""
    by_file: dict[str, list[Passage]] = {}
    for passage in passages:
        by_file.setdefault(passage.file_id, []).append(passage)
    return tuple(
        Document(file_id=file_id, filename=pieces[0].filename, parts=tuple(_join(pieces)))
        for file_id, pieces in by_file.items()
    )


def _join(pieces: Iterable[Passage]) -> list[tuple[int, tuple[str, ...]]]:
    parts: list[tuple[int, tuple[str, ...]]] = []
    last = -1
    for piece in sorted(pieces, key=lambda piece: piece.position):
        plain = re.sub(r"[\x00\u00a0\u2007\u202f]", " ", piece.text).replace("\t", " | ").splitlines()
        lines = tuple(one.rstrip() for one in plain if one.strip() and not _INSTRUCTION.search(one))
        start, known = parts[-1] if parts and piece.position == last + 1 else (0, ())
        overlap = next((n for n in range(min(len(known), len(lines)), 0, -1) if known[-n:] == lines[:n]), 0)
        if overlap:
            parts[-1] = (start, (*known, *lines[overlap:]))
        else:
            parts.append((piece.position, lines))
        last = piece.position
    return parts


def _under_headings(lines: Sequence[str], *, is_begun: bool) -> Iterator[Line]:
    """Lines with their headings, a table's head too. One ends those of its level or lower, but one just before it."""
    unseen = (1 if any(line.startswith("#") for line in lines) else _PLAIN, _UNSEEN)
    stack, was_heading = [] if is_begun else [unseen], False
    head: tuple[str, ...] = ()
    for index, line in enumerate(lines):
        head = head if "|" in line else ()
        yield Line(text=line, headings=(*(text for _, text in stack), *head))
        head = head or ((line,) if "|" in line else ())
        is_short = _HEADING.match(line.strip()) is not None and len(line.split()) <= 8
        is_title = is_begun and index == 0 and _NARROWING.isdisjoint(set(read_words(line)) - _TOPICS)
        is_heading = is_short and not _VALUE_IN_LINE.search(line.strip()) and not is_title
        if is_heading:
            level = len(line) - len(line.lstrip("#")) or _PLAIN
            kept = [one for one in stack if one[0] < level or (was_heading and level == _PLAIN)]
            stack = [*kept, (level, _tidy(line))]
        was_heading = is_heading


def _tidy(text: str) -> str:
    return " ".join(re.sub(r"^[\s#*•·>|-]+|[\s|]+$", "", text).split())


def find_restriction(headings: Iterable[str], asked: Collection[str], *, is_price: bool = False) -> str:
    """The heading for whose words alone may hold what stands under it ("Winter", "The pool"); "" if there is none.

    Over a price, each word that says more than what is told there has to be asked for; over a fact, one of them.
    """
    topics = _LISTS if is_price else _TOPICS
    for heading in headings:
        unasked = {one for one in read_words(heading) if root(one) not in asked and not one.isdigit()} - topics
        narrowing = unasked & _NARROWING
        if re.search(r"\d, [A-Z]", heading):  # an address
            unasked = narrowing - {"old", "new"}
        elif not is_price and not read_roots(heading).isdisjoint(asked):
            unasked = narrowing
        if unasked or heading == _UNSEEN:
            return heading
    return ""


_PERIODS = frozenset(
    "winter summer spring autumn season off-season weekend weekends weekday weekdays holiday holidays monday mondays "
    "tuesday tuesdays wednesday wednesdays thursday thursdays friday fridays saturday saturdays sunday sundays".split()
)
UPDATES = re.compile(
    r"(?i)\b(?:update|correct(?:ion|ed)|postponed|moved|rescheduled|delayed|revised|replaced|superseded|changed|new"
    r"|renovat|suspended|out of (?:order|service)|expired|no longer|sold out|not available|unavailable)"
)
"""What is told may not hold any more where another line has one of these, and a word of what is asked."""
GOES_ON = re.compile(
    r"(?i)\s*\(|\W*(?:(?:from|as of|until|since|after|before|starting)\b.*\d"
    r"|(?:(?:but|and|on|in|at|from|the|public|during|not) )*(?:it|they|this|these|exceptions?|except|unless|closed|only"
    rf"|however|otherwise|elsewhere|outside|abroad|{'|'.join(_PERIODS)})\b)"
)
_KINDS = frozenset(
    "emergency emergencies group groups member members old former new draft example sample archive superseded return "
    "outbound economy business premium basic standard".split()
)
_NARROWING = CHANGING | NEGATIONS | _PERIODS | _KINDS
# Headings of these words say what is told there, not for what it holds; the others do so over prices alone.
_TOPICS = frozenset(
    """
    a an and the of on in for our your to baggage luggage rules rule fees fee prices price costs rates charges general
    information info contact contacts details conditions terms overview summary important useful practical notes note
    booking reservation confirmation travel trip journey board at glance tips money
    """.split()
)
_LISTS = _TOPICS | frozenset(
    "rate menu main food drinks snacks starters desserts list item items product name price cost fee amount qty "
    "unit invoice bill receipt order table no number policy section".split()
)
