"""Today's checks on the answers of a kept play: nothing is asked again but the judge."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from runner.checks import Ask
from runner.domain.assistant import Assistant, Project
from runner.domain.conversation import Ending
from runner.domain.judgement import Answers, Questions
from runner.domain.report import Attempt, Outcome, ScenarioResult, TurnResult, Variant, decide
from runner.domain.result_json import as_plain
from runner.domain.scenario import NAMES_LIMIT, Scenario, Turn
from runner.execution.judging import Asker, judge_attempt, judge_exchange, make_exchange
from runner.execution.recording import answers_from_json
from runner.journal import Journal, read_journal

AT_ONCE = 8


async def judge_again(
    results: Iterable[ScenarioResult], scenarios: Iterable[Scenario], project: Project, ask: Ask
) -> AsyncIterator[ScenarioResult]:
    """The results with today's verdicts, in their order; SKIPPED are those whose questions are others today."""
    today = {scenario.name: scenario for scenario in scenarios}
    places = asyncio.Semaphore(AT_ONCE)

    async def judge(result: ScenarioResult) -> ScenarioResult:
        async with places:
            return await _judge_result(result, today, project, ask)

    tasks: list[asyncio.Task[ScenarioResult]] = []
    try:
        for result in results:
            tasks.append(asyncio.create_task(judge(result)))
            if len(tasks) == 2 * AT_ONCE:
                yield await tasks.pop(0)
        while tasks:
            yield await tasks.pop(0)
    finally:
        for task in tasks:
            task.cancel()


ASKED_OTHERWISE = "; play it again"
"""How the reason ends why the answer to another question is left out."""


async def _judge_result(
    kept: ScenarioResult, today: Mapping[str, Scenario], project: Project, ask: Ask
) -> ScenarioResult:
    scenario = today.get(kept.scenario.name)
    if scenario is None:
        return _leave_out(kept, f"'{kept.scenario.name}' is in none of today's files")
    assistant = project.find_assistant(scenario.assistant)
    if changed := _find_change(kept.scenario, scenario):
        return _leave_out(replace(kept, scenario=scenario), f"'{scenario.name}': {changed}{ASKED_OTHERWISE}")
    if not kept.attempts or kept.variant is None or assistant is None:
        return kept
    # How often it was played is the kept play's.
    scenario = replace(scenario, repeat=kept.scenario.repeat, pass_at_least=kept.scenario.pass_at_least)
    attempts = [await _judge_attempt(one, scenario, assistant, kept.variant, ask) for one in kept.attempts]
    outcomes = [attempt.outcome for attempt in attempts]
    decided = decide(outcomes, repeat=scenario.repeat, needed=scenario.passes_needed)
    open_reason = f"{len(attempts)} kept attempts don't decide it: play it again"
    return replace(
        kept,
        scenario=scenario,
        attempts=tuple(attempts),
        outcome=decided or Outcome.ERRORED,
        reason=attempts[0].reason if scenario.repeat == 1 else "" if decided else open_reason,
    )


def remember(ask: Asker, said: Mapping[str, list[Answers]], journal: Journal) -> Asker:
    """The same, but its judge isn't asked for what it has `said` before, and the journal is told all that it says."""
    model, left = ask.model, {key: list(answers) for key, answers in said.items()}
    if model is None:
        return ask

    async def ask_once(questions: Questions) -> Answers:
        text = json.dumps(as_plain(asdict(questions)), sort_keys=True)
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        answers = left[key].pop(0) if left.get(key) else await model(questions)
        journal.note("judged", key=key, said=as_plain(asdict(answers)))
        return answers

    return replace(ask, model=ask_once)


def read_said(journal: Path) -> dict[str, list[Answers]]:
    """What the judge said, by what it was asked, as `remember` wrote it down. Raises WriteFailed."""
    said: dict[str, list[Answers]] = {}
    for entry in read_journal(journal):
        # A line of another version must not stand in the way.
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            if entry.entry == "judged":
                said.setdefault(entry.fields["key"], []).append(answers_from_json(entry.fields["said"]))
    return said


def _leave_out(kept: ScenarioResult, reason: str) -> ScenarioResult:
    return replace(kept, outcome=Outcome.SKIPPED, attempts=(), reason=reason)


def _find_change(before: Scenario, today: Scenario) -> str:
    """Which question is another than the one that was answered, in words; "" if none is."""
    for number, (old, new) in enumerate(zip(before.turns, today.turns, strict=False), start=1):
        if _question(old) != _question(new):
            return f"the question of turn {number} has changed since"
    if len(before.turns) != len(today.turns):
        return f"it had {len(before.turns)} turns, and has {len(today.turns)} now"
    return ""


def _question(turn: Turn) -> tuple[str, list[str]]:
    return turn.ask, [file.name for file in turn.attachments]


async def _judge_attempt(
    attempt: Attempt, scenario: Scenario, assistant: Assistant, variant: Variant, ask: Ask
) -> Attempt:
    turns: list[TurnResult] = []
    for turn, played in zip(scenario.turns, attempt.turns, strict=False):
        if played.run is None or _came_too_late(played):
            turns.append(replace(played, turn=turn))
            continue
        said = [(one.turn, one.run) for one in turns if one.run is not None]
        exchange = make_exchange(scenario, assistant, variant, [*said, (turn, played.run)])
        turns.append(replace(await judge_exchange(exchange, ask), cost_usd=played.cost_usd))
    judged = await judge_attempt(replace(attempt, turns=tuple(turns)), scenario, assistant, variant, ask)
    if judged.outcome is Outcome.PASSED and len(turns) < len(scenario.turns):
        # It stopped at an answer that is good by today's checks.
        reason = f"turn {len(turns) + 1} was never asked: play it again"
        return replace(judged, outcome=Outcome.ERRORED, reason=reason)
    return judged


def _came_too_late(turn: TurnResult) -> bool:
    """An answer that was none because the time was up stays none: the run alone doesn't tell."""
    if turn.outcome is not Outcome.ERRORED or turn.verdicts or turn.run is None:
        return False
    # A refusal that nobody expected has FAILED. Of other endings the reason says which limit was met.
    is_answer = turn.run.ending in (Ending.ANSWERED, Ending.REFUSED)
    return is_answer or turn.reason.rpartition("; ")[2].startswith(NAMES_LIMIT)
