"""What a kind of question is given: the message, the thread, the tools as far as they were asked, and the documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from runner.server.inference import Passage, Role, Scene, SceneMessage, ToolOutcome, ToolRequest
from runner.server.inference.offline.words import read_words, root

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
        outcomes = self._outcomes(FILE_SEARCH)
        can_search = FILE_SEARCH in self.scene.tools and self.scene.has_documents
        if not outcomes and can_search:
            raise ToolNeeded(ToolRequest(tool=FILE_SEARCH, arguments={"queries": list(dict.fromkeys(queries))}))
        if not outcomes and not self.given:
            raise NotSure("it needs a document, and there is none to search")
        if outcomes and not outcomes[-1].completed:
            raise NotSure("the file search failed")
        found = (passage for outcome in outcomes for passage in outcome.passages)
        return read_documents((*self.given, *found))

    def run(self, program: str) -> str | None:
        """What the program prints; None where no code interpreter is on offer. Raises ToolNeeded before it ran."""
        if CODE not in self.scene.tools:
            return None
        outcomes = self._outcomes(CODE)
        if not outcomes:
            raise ToolNeeded(ToolRequest(tool=CODE, arguments={"code": program}))
        if not outcomes[-1].completed:
            raise NotSure("the code interpreter failed")
        return outcomes[-1].output

    def _outcomes(self, tool: str) -> tuple[ToolOutcome, ...]:
        return tuple(
            one for one in self.scene.outcomes if isinstance(one.request, ToolRequest) and one.request.tool == tool
        )


# Documents.

MAX_QUOTE = 300
# A document is read for facts: a line that talks to whoever reads it by machine holds none.
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.*\b(?:instruction|prompt|rule|above|previous|prior|everything)"
    r"|\b(?:assistant|chatbot|language model|llm|gpt|claude|system prompt|ai (?:model|agent|reader|system))\b"
    r"|\b(?:you must|always|instead) (?:answer|say|reply|respond|output|tell)\b"
    r"|^\s*(?:say|answer|reply|respond|output)\b(?! by)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<![A-Z])(?<!\b[A-Z][a-z])(?<!Mrs)(?<!approx)(?<=[.!?])\s+(?=[A-Z0-9“\"])")
_HEADING = re.compile(r"^(?:#+\s*)?[A-Z0-9][^.!?|]{2,70}$")
_VALUE_IN_LINE = re.compile(r"\d[.:]\d\d|:\s*\S|\s{3,}|[$€£]|,$")
_HEADING_WORDS = 8
# The rest of a sentence that is broken by the page's width may say when it does not hold.
_WRAP = re.compile(r"(?<![.!?:|\n])\n\s*(?=[a-z(])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line, or a sentence. `heading` is the nearest one above it, "" for none but the document's title."""

    text: str
    heading: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """What was found of one file. `passages` are pieces of its lines; pieces may overlap."""

    file_id: str
    filename: str
    passages: tuple[tuple[str, ...], ...]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All lines, each as often as in the passage that has it most often: overlaps count once."""
        most: Counter[str] = Counter()
        for passage in self.passages:
            most |= Counter(passage)
        seen: Counter[str] = Counter()
        kept: list[Line] = []
        for line in (line for passage in self.passages for line in _under_headings(passage)):
            seen[line.text] += 1
            if seen[line.text] <= most[line.text]:
                kept.append(line)
        return tuple(kept)

    @cached_property
    def sentences(self) -> tuple[Line, ...]:
        """All sentences and lines, without headings; one that two passages share comes once."""
        found = {
            (text, line.heading): Line(text=text, heading=line.heading)
            for passage in self.passages
            for line in _under_headings(_WRAP.sub(" ", "\n".join(passage)).splitlines())
            if not _is_heading(line.text)
            for text in (_tidy(part) for part in _SENTENCE_END.split(line.text))
            if text
        }
        return tuple(found.values())


def read_documents(passages: Iterable[Passage]) -> tuple[Document, ...]:
    """The documents behind passages."""
    by_file: dict[str, list[Passage]] = {}
    for passage in passages:
        by_file.setdefault(passage.file_id, []).append(passage)
    return tuple(
        Document(
            file_id=file_id,
            filename=pieces[0].filename,
            passages=tuple(_clean_lines(piece.text) for piece in pieces),
        )
        for file_id, pieces in by_file.items()
    )


def _clean_lines(text: str) -> tuple[str, ...]:
    lines = (re.sub(r"[\x00\t\u00a0\u2007\u202f]", " ", line).rstrip() for line in text.splitlines())
    return tuple(line for line in lines if line.strip() and not _INSTRUCTION.search(line))


def _under_headings(lines: Iterable[str]) -> Iterator[Line]:
    heading = ""
    for index, line in enumerate(lines):
        yield Line(text=line, heading=heading)
        if index and _is_heading(line):
            heading = _tidy(line)


def _is_heading(line: str) -> bool:
    text = line.strip()
    return bool(_HEADING.match(text)) and not _VALUE_IN_LINE.search(text) and len(text.split()) <= _HEADING_WORDS


def _tidy(text: str) -> str:
    return " ".join(re.sub(r"^[\s#*•·>|-]+|[\s|]+$", "", text).split())


def restricts(heading: str, asked: Collection[str]) -> bool:
    """Whether what stands under a heading may hold for what the heading names alone ("Winter", "The pool")."""
    words = set(read_words(heading))
    roots, seasons = ({root(word) for word in some} for some in (words, words & _SEASONS))
    return not seasons <= set(asked) or not (roots & set(asked) or words <= _TOPICS)


_SEASONS = frozenset(
    """
    winter summer spring autumn season off-season weekend weekends weekday weekdays holiday holidays monday tuesday
    wednesday thursday friday saturday sunday emergency emergencies group groups member members child children student
    students senior seniors old former new draft example return outbound economy business premium basic standard
    """.split()
)
# Headings of these words say what is told there, not for what it holds.
_TOPICS = frozenset(
    """
    a an and the of on in for our your to baggage luggage rules rule fees fee prices price costs rates charges general
    information info contact contacts details conditions terms overview summary important useful practical notes note
    booking reservation confirmation travel trip journey board at glance tips money
    """.split()
)
