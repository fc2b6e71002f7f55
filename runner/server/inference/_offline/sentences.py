"""Sentences and lines of a document, each with the heading that it stands under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runner.server.inference._offline.documents import Document
from runner.server.inference._offline.numbers import words_to_digits
from runner.server.inference._offline.words import read_roots, read_words

_SENTENCE_END = re.compile(r"(?<![A-Z])(?<!\b[A-Z][a-z])(?<!Mrs)(?<!approx)(?<=[.!?])\s+(?=[A-Z0-9“\"])")
_HEADING = re.compile(r"^(?:#+\s*)?[A-Z0-9][^.!?|]{2,70}$")
_VALUE_IN_LINE = re.compile(r"\d[.:]\d\d|:\s*\S|\s{3,}|[$€£]|,$")
_WRAPPED_CHARS = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """`context_roots` are those of the headings above it; `is_statement` tells a sentence from a mere heading."""

    text: str
    context_roots: frozenset[str]
    is_statement: bool

    @property
    def roots(self) -> frozenset[str]:
        return read_roots(self.text) | read_roots(words_to_digits(self.text))


def read_sentences(document: Document) -> tuple[Sentence, ...]:
    """All sentences of what was found of a document; one that two passages share comes once."""
    found: dict[str, Sentence] = {}
    for passage in document.passages:
        for sentence in _read_passage(passage, read_roots(document.filename.rsplit(".", 1)[0].replace("_", " "))):
            known = found.get(sentence.text)
            if known is None or len(known.context_roots) < len(sentence.context_roots):
                found[sentence.text] = sentence
    return tuple(found.values())


def _read_passage(lines: tuple[str, ...], title_roots: frozenset[str]) -> Iterator[Sentence]:
    title = read_roots(lines[0]) if lines and _is_heading(lines[0]) else frozenset()
    heading: frozenset[str] = frozenset()
    for line in _join_wrapped(lines):
        if _is_heading(line):
            heading = read_roots(line)
            yield Sentence(text=_tidy(line), context_roots=title_roots | title, is_statement=False)
            continue
        for text in _SENTENCE_END.split(line):
            if read_words(text):
                yield Sentence(text=_tidy(text), context_roots=title_roots | title | heading, is_statement=True)


def _is_heading(line: str) -> bool:
    text = line.strip()
    return bool(_HEADING.match(text)) and not _VALUE_IN_LINE.search(text) and len(text.split()) <= 8


def _join_wrapped(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Lines with those put together that are one sentence broken by the page's width."""
    joined: list[str] = []
    for line in lines:
        text = line.strip()
        last = joined[-1] if joined else ""
        continues = re.match(r"[a-z(]|\d+[ ,.]", text) is not None and not re.match(r"\d{1,2}[:.]\d\d", text)
        if len(last) >= _WRAPPED_CHARS and continues and not re.search(r"[.!?:|]$|\s{3,}", last) and "   " not in text:
            joined[-1] = f"{last} {text}"
        else:
            joined.append(text)
    return tuple(joined)


def _tidy(text: str) -> str:
    return " ".join(re.sub(r"^[\s#*•·>|-]+|[\s|]+$", "", text).split())
