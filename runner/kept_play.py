"""A play on disk: its folder holds what was played, and each result from the moment it is there.

`play.json` says what was to be played and, once it has ended, what it came to; `results.jsonl` has one line for each
finished scenario, and for each finished attempt of one that is repeated. What a crash cuts off is its last line.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.domain.report import Attempt, Report, Results, ScenarioResult, Variant
from runner.domain.result_json import (
    attempt_as_json,
    attempt_from_json,
    report_as_json,
    report_from_json,
    result_as_json,
    result_from_json,
)
from runner.domain.scenario import Scenario
from runner.errors import WriteFailed, on_one_line
from runner.whole_file import write_whole

VERSION = 1
_READ_BYTES = 65_536
_HEAD, _RESULTS = "play.json", "results.jsonl"
_FINISHED, _ATTEMPT = "scenario", "attempt"
_TEXT, _TEXTS, _CLAIM = {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "boolean"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_SHARD = {"type": ["string", "null"], "pattern": r"^(\d{1,4}/\d{1,4}( of division \w+)?)?$"}
_ARGUMENTS = {
    "paths": _TEXTS,
    "targets": _TEXTS,
    "models": _TEXTS,
    "repeat": {"type": ["integer", "null"], "minimum": 1},
    "synced": _CLAIM,
    "allow_declines": _CLAIM,
    "fail_on_flaky": _CLAIM,
}
_HEAD_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "version": {"const": VERSION},
        "started_at": _TEXT,
        "arguments": {
            "type": "object",
            "properties": {
                **_ARGUMENTS,
                "every_repeat": _CLAIM,
                "shard": _SHARD,
                "tier": _MAYBE_TEXT,
                "replay": _MAYBE_TEXT,
                "record": _MAYBE_TEXT,
                "reports": _TEXTS,
                "names": _MAYBE_TEXT,
                "tags": _MAYBE_TEXT,
                "last_failed": _CLAIM,
                "failed_first": _CLAIM,
            },
            "required": list(_ARGUMENTS),
        },
        "units": {"type": "array", "items": {**_TEXTS, "minItems": 2, "maxItems": 2}},
        "files": {"type": "object", "additionalProperties": _TEXT},
        "definitions": {"type": "object", "additionalProperties": {"type": "object"}},
        "exit_code": {"type": "integer"},
        "judged": _TEXT,
        "judge": _TEXT,
        "selection": _TEXT,
        "shard": _SHARD,
        "tier": _MAYBE_TEXT,
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["version", "started_at", "units"],
}
"""Of what is not of the report, which `_report` reads."""


Key = tuple[str, str]
"""A scenario's name and its variant's label: what a unit is called, in this play and the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A scenario on a variant; `fingerprint` is a hash of all that decides its result, `inputs` of parts of that."""

    scenario: Scenario
    variant: Variant
    fingerprint: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return self.scenario.name, self.variant.label


@dataclass(slots=True, kw_only=True)
class Spent:
    """What a play has used so far, all its times together; `unpriced` counts runs whose cost isn't known."""

    tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "cost_usd": round(self.cost_usd, 8), "unpriced": self.unpriced}

    def raise_to(self, told: object) -> None:
        """To what a line says, which is never less than an earlier one; what isn't that is left out."""
        match told:
            case {"tokens": int(tokens), "cost_usd": int() | float() as cost_usd, "unpriced": int(unpriced)}:
                self.tokens = max(self.tokens, tokens)
                self.cost_usd = max(self.cost_usd, cost_usd)
                self.unpriced = max(self.unpriced, unpriced)


class KeptResults:
    """Results in the order of the units' keys; each is read from its file when its turn comes.

    What the disk refused is kept in memory. `held` are descriptors of files that somebody has open: with few of them to
    be had, a result must not hang on one more.
    """

    def __init__(self, order: Iterable[Key] = ()) -> None:
        self.held: dict[Path, int] = {}
        self._places: dict[Key, tuple[Path, int] | ScenarioResult | None] = dict.fromkeys(order)

    def add(self, key: Key, place: tuple[Path, int] | ScenarioResult) -> None:
        """A result, or the file and the byte where its line begins."""
        self._places[key] = place

    def __len__(self) -> int:
        return sum(place is not None for place in self._places.values())

    def __iter__(self) -> Iterator[ScenarioResult]:
        opened: dict[Path, Any] = {}
        try:
            for place in self._places.values():
                if place is None or isinstance(place, ScenarioResult):
                    yield from [place] if place else []
                    continue
                path, offset = place
                if path not in self.held and path not in opened:
                    opened[path] = path.open("rb")
                descriptor = self.held[path] if path in self.held else opened[path].fileno()
                yield result_from_json(json.loads(_read_line(descriptor, offset)))
        except OSError as error:
            raise WriteFailed(f"cannot read the play's results {error.filename}: {error.strerror}") from error
        finally:
            for file in opened.values():
                file.close()


def _read_line(descriptor: int, offset: int) -> bytes:
    parts = []
    while part := os.pread(descriptor, _READ_BYTES, offset):
        line, newline, _ = part.partition(b"\n")
        parts.append(line)
        if newline:
            break
        offset += len(part)
    return b"".join(parts)


class KeptPlay:
    """The folder of a play that is going on. `clean` takes secrets out of every line.

    `refusal` is the first thing that the disk did not take: the play goes on, and says so at its end. `spent` is kept
    with each line.
    """

    def __init__(
        self, folder: Path, order: Iterable[Key], *, clean: Callable[[str], str] = str, spent: Spent | None = None
    ) -> None:
        self.folder = folder
        self.spent = spent or Spent()
        self.results = KeptResults(order)
        self.refusal: WriteFailed | None = None
        self.head: Mapping[str, Any] = {}
        self._clean = clean
        self._path = path = folder / _RESULTS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", opener=_open_for_both)  # noqa: SIM115 - until the play ends
            self.results.held[path] = self._file.fileno()
            if self._file.tell() and path.read_bytes()[-1:] != b"\n":
                self._file.write(b"\n")
        except OSError as error:
            raise WriteFailed(f"cannot write the play's results {path}: {error.strerror}") from error

    def close(self) -> None:
        # Every line was flushed, or the refusal is known.
        self.results.held.clear()
        with suppress(OSError):
            self._file.close()

    def begin(self, head: Mapping[str, Any]) -> None:
        """Say what is played. Raises WriteFailed."""
        self.head = {"version": VERSION, **head, "spent": self.spent.as_json()}
        text = json.dumps(self.head, indent=2, ensure_ascii=True, default=str)
        write_whole(self.folder / _HEAD, self._clean(text) + "\n", what="the play")

    def finish(self, report: Report) -> None:
        """Say what came of it; where the disk refuses that, the results are there all the same."""
        try:
            self.begin({**self.head, **report_as_json(report)})
        except WriteFailed as error:
            self.refusal = self.refusal or error

    def keep_attempt(self, unit: Unit, attempt: Attempt) -> None:
        """One of several attempts: what a resumed play need not send again."""
        self._write({"entry": _ATTEMPT, **_identify(unit), "attempt": attempt_as_json(attempt)})

    def keep(self, unit: Unit, result: ScenarioResult) -> None:
        told = replace(result, inputs=unit.inputs or result.inputs)
        offset = self._write({"entry": _FINISHED, **_identify(unit), **result_as_json(told)})
        self.results.add(unit.key, result if offset is None else (self._path, offset))

    def _write(self, line: Mapping[str, object]) -> int | None:
        """Where the line begins; None if the disk refused it."""
        line = {**line, "spent": self.spent.as_json()}
        text = self._clean(json.dumps(line, ensure_ascii=True, allow_nan=False, separators=(",", ":")))
        try:
            offset = self._file.tell()
            self._file.write(text.encode() + b"\n")
            self._file.flush()
        except OSError as error:
            failed = WriteFailed(f"cannot write the play's results {self._file.name}: {error.strerror}")
            self.refusal = self.refusal or failed
            return None
        return offset


def _open_for_both(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_WRONLY | os.O_RDWR, 0o666)


def _identify(unit: Unit) -> dict[str, object]:
    return {"key": list(unit.key), "fingerprint": unit.fingerprint}


@dataclass(slots=True, kw_only=True)
class Kept:
    """What the folder of a play holds. `head` is what `play.json` says, {} if there is none.

    `finished` has the fingerprint and the place of each result by the unit's key, `attempts` those of units that
    did not come to their end; `spent` is what all that came to, as far as lines tell. `damaged` says of each line that
    is no result and was not just cut off where it is, and what is wrong with it.
    """

    folder: Path
    head: Mapping[str, Any]
    results: KeptResults
    finished: dict[Key, tuple[str, int]] = field(default_factory=dict)
    attempts: dict[Key, list[tuple[str, object]]] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    damaged: list[str] = field(default_factory=list)

    def result_of(self, unit: Unit) -> ScenarioResult | None:
        """The kept result of a unit that has not changed since."""
        fingerprint, offset = self.finished.get(unit.key, ("", -1))
        if offset < 0 or fingerprint != unit.fingerprint:
            return None
        with (self.folder / _RESULTS).open("rb") as file:
            file.seek(offset)
            return result_from_json(json.loads(file.readline()))

    def place_of(self, key: Key) -> tuple[Path, int]:
        """Where a finished unit's result is."""
        return self.folder / _RESULTS, self.finished[key][1]

    def attempts_of(self, unit: Unit) -> tuple[Attempt, ...]:
        """The kept attempts of a unit that did not come to its end, and has not changed since."""
        found = []
        for fingerprint, one in self.attempts.get(unit.key, []):
            if fingerprint == unit.fingerprint:
                with suppress(ValueError):
                    found.append(attempt_from_json(one, unit.scenario))
        return tuple(found)


def read_play(folder: Path) -> Kept:
    """What a play left, but for lines that are damaged. Raises WriteFailed."""
    try:
        head = read_head(folder)
        kept = Kept(
            folder=folder, head=head, results=KeptResults((name, label) for name, label in head.get("units", ()))
        )
        kept.spent.raise_to(head.get("spent"))
        with (folder / _RESULTS).open("rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                try:
                    _take(kept, line, offset)
                except ValueError as error:
                    kept.damaged.append(f"{on_one_line(file.name)}:{number}: {error}")
                offset += len(line)
    except FileNotFoundError as error:
        raise WriteFailed(f"{folder} is not the folder of a play: it has no {Path(error.filename).name}") from error
    except OSError as error:
        raise WriteFailed(f"cannot read the play {folder}: {error.strerror}") from error
    return kept


def read_head(folder: Path) -> Mapping[str, Any]:
    """What `play.json` says; {} if it can't be read as that, or is another version's. Raises OSError.

    A play that was killed as it began may have none.
    """
    from runner.json_schema import find_mismatch

    try:
        head: Mapping[str, Any] = json.loads((folder / _HEAD).read_bytes())
        if find_mismatch(head, _HEAD_SCHEMA):
            return {}
        _report(head, (), folder)
        return head
    except (FileNotFoundError, ValueError, RecursionError):
        return {}


def _take(kept: Kept, text: bytes, offset: int) -> None:
    """Raises ValueError for what is JSON and yet no line that a play writes."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return  # as a crash leaves its last line
    match line:
        case {
            "entry": "scenario" | "attempt" as entry,
            "key": [str(name), str(label)],
            "fingerprint": str(fingerprint),
        }:
            kept.spent.raise_to(line.get("spent"))
        case _:
            raise ValueError("it has no `entry`, `key` and `fingerprint` as a play writes them")
    key = name, label
    if entry == _ATTEMPT:
        kept.attempts.setdefault(key, []).append((fingerprint, line.get("attempt")))
    elif (found := result_from_json(line)).scenario.name != name:
        raise ValueError(f"name is {found.scenario.name!a}, not that of its key")
    else:
        kept.finished[key] = (fingerprint, offset)
        kept.attempts.pop(key, None)
        kept.results.add(key, (kept.folder / _RESULTS, offset))


def find_argument(head: Mapping[str, Any], name: str) -> str:
    """What a play was given, "" if nothing; one that can't go on has it by itself."""
    return str(head.get("arguments", head).get(name) or "")


def find_selection(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Which scenarios a play was asked for, as they could be asked for again; nothing if all."""
    paths = arguments.get("paths", ())
    # The folder is meant where none is named, too.
    yield from map(shlex.quote, paths if list(paths) != ["scenarios"] else ())
    for option, key in (("-k", "names"), ("-m", "tags")):
        if value := arguments.get(key):
            yield f"{option} {shlex.quote(str(value))}"
    if arguments.get("last_failed"):
        yield "--lf"


def report_of(kept: Kept) -> Report:
    """The report of a kept play; of one that was killed, with what had come in."""
    return _report(kept.head, kept.results, kept.folder)


def _report(head: Mapping[str, Any], results: Results, folder: Path) -> Report:
    """Raises ValueError for a head that was edited by hand."""
    untold: dict[str, object] = {}  # as of a damaged head
    if "variants" not in head:
        untold["variants"] = tuple(dict.fromkeys(one.variant for one in results if one.variant))
    if "planned" not in head:
        untold["planned"] = len(results)
    return report_from_json(
        head,
        results,
        play_id=folder.name,
        can_go_on="arguments" in head,
        shard=find_argument(head, "shard"),
        selection=head.get("selection") or " ".join(find_selection(head.get("arguments", {}))),
        tier=find_argument(head, "tier"),
        **untold,
    )
