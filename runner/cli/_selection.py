"""What is played, and on what.

Which scenarios: expressions over names and tags, what failed last, and how the choice is shown. On what: each target
once, for each of the models; recorded, or replayed.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

from runner.backends import Backend
from runner.cli import count_descriptors
from runner.cli._session import PlayArguments, Session, open_ask
from runner.cli._targets import find_capabilities
from runner.did_you_mean import count
from runner.domain.assistant import ChatEndpoint, Server, Target
from runner.domain.report import Variant
from runner.domain.scenario import Scenario
from runner.errors import NothingFound, UsageError
from runner.escaping import file_name
from runner.execution.judging import Asker
from runner.execution.play import Lane
from runner.execution.recording import record, record_judge, replay, replay_judge

_TOKEN = re.compile(r"\s*(?:(?P<bracket>[()])|(?P<word>[^\s()]+))")
MOST_SHARDS = 1000
_MOST_DEPTH = 100
_OPERATORS = frozenset({"and", "or", "not"})

Test = Callable[[str], bool]
Expression = Callable[[Test], bool]
"""Takes what decides about a word, and says whether all of it holds."""


def parse_expression(option: str, text: str) -> Expression:
    """An expression as pytest has it: words with `and`, `or`, `not` and brackets. Raises UsageError.

    Words in a row are one phrase, since scenarios' names have spaces.
    """
    tokens = [match["bracket"] or match["word"] for match in _TOKEN.finditer(text) if match.lastgroup]
    return _Parser(option, text, tokens).parse()


class _Parser:
    def __init__(self, option: str, text: str, tokens: Sequence[str]) -> None:
        self._about = f"{option} {text[:200]!r}"
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def parse(self) -> Expression:
        found = self._either()
        if self._next < len(self._tokens):
            raise self._mistake(f"{self._tokens[self._next]!r} is one too many")
        return found

    def _either(self) -> Expression:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda test: any(part(test) for part in parts)

    def _both(self) -> Expression:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda test: all(part(test) for part in parts)

    def _one(self) -> Expression:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise self._mistake("it is nested too deeply")
        found = self._inner()
        self._depth -= 1
        return found

    def _inner(self) -> Expression:
        if self._take("not"):
            negated = self._one()
            return lambda test: not negated(test)
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise self._mistake("a bracket is not closed")
            return inner
        words = []
        while self._next < len(self._tokens) and self._tokens[self._next] not in _OPERATORS | {"(", ")"}:
            words.append(self._tokens[self._next])
            self._next += 1
        if not words:
            at = self._tokens[self._next] if self._next < len(self._tokens) else "the end"
            raise self._mistake(f"a word is missing before {at if at == 'the end' else repr(at)}")
        phrase = " ".join(words)
        return lambda test: test(phrase)

    def _take(self, token: str) -> bool:
        is_next = self._next < len(self._tokens) and self._tokens[self._next] == token
        self._next += is_next
        return is_next

    def _mistake(self, what: str) -> UsageError:
        return UsageError(f"{self._about}: {what}; write words with and, or, not and brackets: 'a and not (b or c)'")


def make_test(names: str | None, tags: str | None) -> Callable[[Scenario], bool]:
    """Says whether both expressions (None: all) hold for a scenario. Raises UsageError for what is no expression."""
    by_name = parse_expression("-k", names) if names is not None else None
    by_tag = parse_expression("-m", tags) if tags is not None else None

    def holds(one: Scenario) -> bool:
        is_named = by_name is None or by_name(lambda word: word.casefold() in one.name.casefold())
        return is_named and (by_tag is None or by_tag(lambda word: word in one.tags))

    return holds


def select_scenarios(
    scenarios: Sequence[Scenario],
    failed: Callable[[], Mapping[str, bool]],
    *,
    names: str | None = None,
    tags: str | None = None,
    last_failed: bool = False,
    failed_first: bool = False,
) -> tuple[Scenario, ...]:
    """Those that are meant, in their order. Raises NothingFound if none is, UsageError for what is no expression.

    `failed` says for the scenarios of earlier plays whether they did not pass the last time: these come alone, or
    first.
    """
    chosen = tuple(filter(make_test(names, tags), scenarios))
    if not chosen:
        asked = [f"-k {names!r}"] * (names is not None) + [f"-m {tags!r}"] * (tags is not None)
        hint = _name_tags(scenarios) if tags is not None else ""
        raise NothingFound(f"none of {count(len(scenarios), 'scenario')} matches {' and '.join(asked)}{hint}")
    if not (last_failed or failed_first):
        return chosen
    known = failed()
    bad = tuple(one for one in chosen if known.get(one.name))
    if last_failed:
        return bad or chosen  # as in pytest: where nothing failed, there is nothing to leave out
    return (*bad, *(one for one in chosen if not known.get(one.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of `of` parts of the scenarios, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From `2/8`. Raises UsageError."""
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text, re.ASCII)
        number, of = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= of <= MOST_SHARDS:
            raise UsageError(f"--shard {text!r}: write NUMBER/OF, like 2/8: from 1 to at most {MOST_SHARDS}")
        return cls(number=number, of=of)

    def choose(
        self, scenarios: Sequence[Scenario], durations_s: Mapping[str, float]
    ) -> tuple[tuple[Scenario, ...], str]:
        """Its part, in order, and its name for the report: with a hash of the whole division, for `merge` to compare.

        The longest first, each to the part that has least to do so far; who was never played counts as one of the
        middle. Depends on nothing but names and durations.
        """
        known = sorted(durations_s[one.name] for one in scenarios if one.name in durations_s)
        usual_s = known[len(known) // 2] if known else 1.0
        times = {one.name: durations_s.get(one.name, usual_s) * one.repeat for one in scenarios}
        loads = [(0.0, part) for part in range(1, self.of + 1)]
        parts: dict[str, int] = {}
        for name in sorted(times, key=lambda name: (-times[name], name)):
            load, part = heapq.heappop(loads)
            parts[name] = part
            heapq.heappush(loads, (load + times[name], part))
        digest = hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()[:12]
        chosen = tuple(one for one in scenarios if parts[one.name] == self.number)
        return chosen, f"{self.number}/{self.of} of division {digest}"


def _name_tags(scenarios: Iterable[Scenario]) -> str:
    tags = sorted({tag for one in scenarios for tag in one.tags})
    return f"; the tags are {', '.join(tags)}" if tags else "; no scenario has a tag"


def describe_selected(scenarios: Iterable[Scenario]) -> list[dict[str, object]]:
    """What would be played, for programs."""
    return [
        {
            "name": one.name,
            "location": str(one.location),
            "place": one.playable_place,
            "assistant": one.assistant,
            "tags": list(one.tags),
            "turns": len(one.turns),
            "repeat": one.repeat,
            "pass_at_least": one.passes_needed,
            "skip": one.skip,
            "description": one.description,
        }
        for one in scenarios
    ]


# Measured with an embedded server in the process: both ends of each connection, and the pipes of what runs code.
OWN_DESCRIPTORS, DESCRIPTORS_PER_SCENARIO = 44, 4


@asynccontextmanager
async def open_judge(judge: Session | None, lanes: Sequence[Lane], wanted: PlayArguments) -> AsyncIterator[Asker]:
    """What answers the checks that ask; without a judge, what says so."""
    declared = judge.configuration.project.judge if judge else None
    if judge is not None and declared is not None and wanted.replay:
        with closing(Asker(model=replay_judge(wanted.replay, declared.model, judge.redactor.clean))) as replayed:
            yield replayed
        return
    async with open_ask(judge, lanes[0].journal, wanted.jobs) as ask:
        if judge is not None and declared is not None and wanted.record and ask.model:
            kept = record_judge(ask.model, wanted.record, declared.model, judge.redactor.clean)
            yield replace(ask, model=kept)
        else:
            yield ask


@asynccontextmanager
async def open_lanes(
    sessions: Sequence[Session], wanted: PlayArguments, folder: Path
) -> AsyncIterator[tuple[Lane, ...]]:
    """Each target once, with a journal of its own, for each of the models."""
    async with AsyncExitStack() as stack:
        lanes = []
        for number, session in enumerate(sessions):
            name = "journal.jsonl" if number == 0 else f"journal-{file_name(session.target.name)}.jsonl"
            journal = stack.enter_context(session.open_journal(folder / name))
            # For `runner clean`: ids mean nothing on another target.
            journal.add("play", target=session.target.name)
            opened = None if wanted.replay else await stack.enter_async_context(session.open_target(journal))
            for model in wanted.models or (None,):
                backend, variant = _find_backend(session, opened, model, wanted)
                project = session.configuration.project
                project = project.with_model(model) if model else project
                lanes.append(Lane(variant=variant, project=project, backend=backend, journal=journal))
        yield tuple(lanes)


def _find_backend(
    session: Session, opened: tuple[Backend, Variant] | None, model: str | None, wanted: PlayArguments
) -> tuple[Backend, Variant]:
    """The target's, one that keeps what it is told, or one that has only that."""
    if wanted.replay:
        variant = Variant(target=session.target.name, api=session.target.api, model=model)
        return replay(wanted.replay, variant, find_capabilities(session.target), session.redactor.clean)
    assert opened is not None, "only a replay needs no target"
    backend, variant = opened[0], replace(opened[1], model=model)
    if wanted.record:
        return record(backend, wanted.record, variant, session.redactor.clean), variant
    return backend, variant


def most_at_once(target: Target) -> Iterator[int]:
    """How many scenarios at once an embedded server can take, by each of its limits."""
    if isinstance(target.inference, ChatEndpoint) and target.inference.slots:
        # More would be waiting for each other on their own time.
        yield target.inference.slots
    if target.server is Server.EMBEDDED and (descriptors := count_descriptors()) is not None:
        yield max(1, (descriptors - OWN_DESCRIPTORS) // DESCRIPTORS_PER_SCENARIO)
