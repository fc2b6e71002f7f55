"""What a scenario file lists: questions in order, and what to expect of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

from runner.domain.assistant import HASH_CHARACTERS, Address, Answering, Assistant, Function
from runner.domain.files import LocalFile
from runner.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A check as written: its name (the file's name under `runner/checks`) and its validated parameters.

    `is_idle`: it forbids what can't come anyway, so whatever comes of it proves little.
    """

    check: str
    parameters: Mapping[str, object]
    location: Location
    is_idle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One scripted question."""

    ask: str
    attachments: tuple[LocalFile, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Turns in order, played in one thread. `smoke` allows turns without expectations.

    `timeout_s` is for all turns together, `queue_timeout_s` for each time that a run is queued, None: nothing is said;
    the locations are where they are written.
    `functions` are answers that hold here instead of the assistant's own, by the function's name. It is played
    `repeat` times, and passes if it did `pass_at_least` times (None: each time). `continues` asks the next question
    also after an answer that failed its checks. `skip` is why it is not played, "": it is. `item` is its row of
    `cases`, in which `location` is then, and `declared_at` where the scenario is written. `expectations` are about all
    turns together.
    """

    name: str
    assistant: Address
    turns: tuple[Turn, ...]
    expectations: tuple[Expectation, ...] = ()
    tags: tuple[str, ...] = ()
    smoke: bool = False
    timeout_s: float | None = None
    timeout_location: Location | None = field(default=None, compare=False)
    queue_timeout_s: float | None = None
    queue_timeout_location: Location | None = field(default=None, compare=False)
    functions: Mapping[str, Answering] = field(default_factory=dict)
    description: str = ""
    skip: str = ""
    repeat: int = 1
    pass_at_least: int | None = None
    continues: bool = False
    golden: bool = False
    item: Mapping[str, object] = field(default_factory=dict)
    declared_at: Location | None = None
    location: Location

    @property
    def row(self) -> Location | None:
        """Where its row of `cases` stands, None if it is no case: what is wrong may be wrong there."""
        return self.location if self.declared_at else None

    @property
    def passes_needed(self) -> int:
        return self.repeat if self.pass_at_least is None else self.pass_at_least

    @property
    def playable_place(self) -> str:
        """What `runner play` takes for this scenario alone: rows may share a line, or be of several scenarios."""
        place = self.location
        return f"{self.declared_at.file}::{self.name}" if self.declared_at else f"{place.file}:{place.line}"


NAMES_LIMIT = ("a turn may take ", "`timeout: ", "`queue_timeout: ")
"""How the words begin that say which limit of its own a scenario has met: they come last in a turn's reason."""


def fold_name(name: str) -> str:
    """One form for names that differ only in case or in their Unicode form."""
    return normalize("NFKC", name).casefold()


def functions_in(scenario: Scenario, assistant: Assistant) -> tuple[Function, ...]:
    """The assistant's functions, each with the answer that holds in the scenario."""
    return tuple(
        replace(function, answering=scenario.functions.get(function.name, function.answering))
        for function in assistant.functions
    )


def find_expectations(scenarios: Iterable[Scenario]) -> Iterator[Expectation]:
    """Every expectation, those inside others too."""
    for scenario in scenarios:
        yield from expectations_in(scenario.expectations)
        for turn in scenario.turns:
            yield from expectations_in(turn.expectations)


def expectations_in(value: object) -> Iterator[Expectation]:
    """It and those inside it, if it is one, or holds some."""
    match value:
        case Expectation():
            yield value
            yield from expectations_in(value.parameters)
        case tuple() | list():
            for one in value:
                yield from expectations_in(one)
        case Mapping():
            for one in value.values():
                yield from expectations_in(one)


def hash_scenario(
    scenario: Scenario, assistant: Assistant, definition: str, sha256_of: Callable[[LocalFile | Path], str]
) -> str:
    """A short hash in hex of all that decides a scenario's result beside the API: with it the result is still good."""
    told = {
        "definition": definition,
        "turns": [
            [
                turn.ask,
                [(file.name, file.use.value, sha256_of(file)) for file in turn.attachments],
                turn.expectations,
            ]
            for turn in scenario.turns
        ],
        "expect": scenario.expectations,
        "functions": [
            (one.name, one.answering.kind, _describe_settings(one.answering.settings, sha256_of))
            for one in functions_in(scenario, assistant)
        ],
        "item": scenario.item,
        "rules": [
            *(scenario.smoke, scenario.timeout_s, scenario.queue_timeout_s, scenario.continues, scenario.skip),
            *(scenario.repeat, scenario.passes_needed),
        ],
    }
    return hash_told(told)


def hash_means(
    scenario: Scenario, assistant: Assistant, sha256_of: Callable[[LocalFile | Path], str]
) -> dict[str, str]:
    """What a scenario's result hangs on that its questions, checks and the definition don't tell: hashes, by words."""
    rules = [scenario.smoke, scenario.timeout_s, scenario.queue_timeout_s, scenario.continues]
    files = [(file.name, file.use.value, sha256_of(file)) for turn in scenario.turns for file in turn.attachments]
    # Code by its name alone: what it says is told apart from who has it called; where the project lies says nothing.
    functions = [
        [one.name, one.answering.kind]
        + [(key, getattr(value, "name", value)) for key, value in one.answering.settings.items() if key != "root"]
        for one in functions_in(scenario, assistant)
    ]
    told = {"attached files": files, "functions' answers": functions, "rules": rules}
    return {word: hash_told(one) for word, one in told.items()}


def hash_told(told: object) -> str:
    text = json.dumps(told, sort_keys=True, ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def _describe_settings(
    settings: Mapping[str, object], sha256_of: Callable[[LocalFile | Path], str]
) -> dict[str, object]:
    """A file counts by its content, wherever the project lies."""
    return {name: sha256_of(value) if isinstance(value, Path) else value for name, value in settings.items()}


def _plain(value: object) -> object:
    """An expectation without its place, which may move; for the rest its text."""
    return [value.check, value.parameters] if isinstance(value, Expectation) else str(value)
