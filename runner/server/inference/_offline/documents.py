"""Documents as far as file search showed them: their lines, and which of them a question is most likely about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.server.inference import Passage, SceneMessage
from runner.server.inference._offline.words import read_stems

# A document is read for facts: a line that talks to whoever reads it by machine holds none.
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.*\b(?:instruction|prompt|rule|above|previous|prior|everything)"
    r"|\b(?:assistant|chatbot|language model|llm|gpt|claude|system prompt|ai (?:model|agent|reader|system))\b"
    r"|\b(?:you must|always|instead) (?:answer|say|reply|respond|output|tell)\b"
    r"|^\s*(?:say|answer|reply|respond|output)\b(?! by)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What was found of one file. `passages` are pieces of its lines; pieces may overlap.

    `tier` is 0 for a file that came with the question, 1 for another one of the thread's, 2 for the assistant's.
    """

    file_id: str
    filename: str
    tier: int
    passages: tuple[tuple[str, ...], ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines, each as often as in the passage that has it most often: overlaps count once."""
        most: Counter[str] = Counter()
        for passage in self.passages:
            most |= Counter(passage)
        seen: Counter[str] = Counter()
        kept: list[str] = []
        for line in (line for passage in self.passages for line in passage):
            seen[line] += 1
            if seen[line] <= most[line]:
                kept.append(line)
        return tuple(kept)

    @property
    def stems(self) -> frozenset[str]:
        return read_stems(f"{' '.join(self.lines)} {self.filename}")


def read_given(messages: Sequence[SceneMessage]) -> tuple[Passage, ...]:
    """The files that a thread gives to the model itself, each as one passage."""
    files = {file.file_id: file for message in messages for file in message.files}
    return tuple(
        Passage(file_id=file.file_id, filename=file.filename, score=1.0, text=file.text) for file in files.values()
    )


def read_documents(
    passages: Sequence[Passage], messages: Sequence[SceneMessage], thread_files: frozenset[str]
) -> tuple[Document, ...]:
    """The documents behind passages, those that came with the question first."""
    by_file: dict[str, list[Passage]] = {}
    for passage in passages:
        by_file.setdefault(passage.file_id, []).append(passage)
    found = [
        Document(
            file_id=file_id,
            filename=pieces[0].filename,
            tier=_tier(pieces[0], messages, thread_files),
            passages=_without_fragments(tuple(_clean_lines(piece.text) for piece in pieces)),
        )
        for file_id, pieces in by_file.items()
    ]
    return tuple(sorted(found, key=lambda document: document.tier))


def by_tier(documents: Sequence[Document]) -> Iterator[tuple[Document, ...]]:
    """Documents in groups that are asked one after the other."""
    for tier in sorted({document.tier for document in documents}):
        yield tuple(document for document in documents if document.tier == tier)


def _tier(passage: Passage, messages: Sequence[SceneMessage], thread_files: frozenset[str]) -> int:
    if messages and passage.filename in messages[-1].filenames:
        return 0
    came_earlier = any(passage.filename in message.filenames for message in messages)
    return 1 if came_earlier or passage.file_id in thread_files else 2


def _clean_lines(text: str) -> tuple[str, ...]:
    lines = (re.sub(r"[\x00\t\u00a0\u2007\u202f]", " ", line).rstrip() for line in text.splitlines())
    return tuple(line for line in lines if line.strip() and not _INSTRUCTION.search(line))


def _without_fragments(passages: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """Passages without first or last lines that another passage has whole: a piece may begin in mid-line."""
    whole = [line for passage in passages for line in passage]

    def is_fragment(line: str) -> bool:
        cut = line.strip()
        return any(
            other.strip() != cut and (other.strip().endswith(cut) or other.strip().startswith(cut)) for other in whole
        )

    cleaned = []
    for passage in passages:
        start = 1 if len(passages) > 1 and passage and is_fragment(passage[0]) else 0
        end = (
            len(passage) - 1
            if len(passages) > 1 and len(passage) > start and is_fragment(passage[-1])
            else len(passage)
        )
        cleaned.append(passage[start:end])
    return tuple(cleaned)
