"""What the user said earlier in the thread, found again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runner.server.inference._offline.matching import NotSure
from runner.server.inference._offline.question import Lookup, Wanted
from runner.server.inference._offline.statements import Statement, latest_statements
from runner.server.inference._offline.values import find_value
from runner.server.inference._offline.words import prepare, read_roots

_OTHERS = re.compile(r"\b(?:his|her|their|he|she|they)\b|\w's\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A sentence of the user's; `value` is the typed value in it, "" where the whole is the answer."""

    quote: str
    value: str


def find_memory(fact: Lookup, statements: Sequence[Statement]) -> Memory | None:
    """The one statement that tells the fact; None if nothing was said about it. Raises NotSure for several."""
    fitting = [index for index, statement in enumerate(statements) if _tells(statement, fact)]
    found = {
        memory.value or memory.quote: memory
        for index in latest_statements(statements, fitting)
        if (memory := _read_memory(statements[index], fact)) is not None
    }
    if len(found) > 1:
        quotes = ", ".join(f"'{memory.quote[:80]}'" for memory in found.values())
        raise NotSure(f"you said several things about it: {quotes}")
    return next(iter(found.values()), None)


def _tells(statement: Statement, fact: Lookup) -> bool:
    others = {word.lower() for word in _OTHERS.findall(prepare(statement.text))}
    asked = {word.lower() for word in _OTHERS.findall(fact.text)}
    return set(fact.roots) <= read_roots(prepare(statement.text)) and others <= asked


def _read_memory(statement: Statement, fact: Lookup) -> Memory | None:
    if fact.wanted is Wanted.ANYTHING:
        return Memory(quote=statement.text, value="")
    value = find_value(fact, prepare(statement.text) if fact.wanted is Wanted.COUNT else statement.text)
    return Memory(quote=statement.text, value=value) if value is not None else None
