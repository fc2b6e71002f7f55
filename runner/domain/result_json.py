"""Results as plain JSON data and back: what reports hold, what a play keeps, and what goes between processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

from runner.domain.assistant import Address
from runner.domain.conversation import (
    Citation,
    ProducedFile,
    Run,
    RunId,
    RunStatus,
    SearchResult,
    Step,
    ThreadId,
    Usage,
)
from runner.domain.files import FileUse, LocalFile
from runner.domain.report import Attempt, Outcome, Retry, ScenarioResult, TurnResult, Variant, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location

Data = dict[str, Any]


def result_as_json(result: ScenarioResult) -> Data:
    """One scenario's result: what was asked and expected under `turns`, what came of it under `attempts`."""
    scenario = result.scenario
    return {
        "name": scenario.name,
        "location": str(scenario.location),
        "description": scenario.description,
        "assistant": scenario.assistant,
        "tags": list(scenario.tags),
        "golden": scenario.golden,
        "item": as_plain(scenario.item),
        "declared_at": str(scenario.declared_at) if scenario.declared_at else None,
        "repeat": scenario.repeat,
        "pass_at_least": scenario.passes_needed,
        "variant": asdict(result.variant) if result.variant else None,
        "definition": result.definition,
        "outcome": result.outcome.value,
        "counted_as": result.counted_as,
        "reason": result.reason,
        "skip": scenario.skip,
        "duration_s": round(result.duration_s, 3),
        "expect": _expectations_as_json(scenario.expectations),
        "turns": [
            {
                "ask": turn.ask,
                "location": str(turn.location),
                "attachments": [file.name for file in turn.attachments],
                "expect": _expectations_as_json(turn.expectations),
            }
            for turn in scenario.turns
        ],
        "attempts": [attempt_as_json(attempt) for attempt in result.attempts],
    }


def _expectations_as_json(expectations: tuple[Expectation, ...]) -> list[Data]:
    return [
        {"check": one.check, "parameters": as_plain(one.parameters), "location": str(one.location)}
        for one in expectations
    ]


def attempt_as_json(attempt: Attempt) -> Data:
    """One time through a scenario; its turns are those of the scenario, as far as it came."""
    return {
        "outcome": attempt.outcome.value,
        "reason": attempt.reason,
        "duration_s": round(attempt.duration_s, 3),
        "retried": [asdict(retry) for retry in attempt.retried],
        "verdicts": [verdict_as_json(verdict) for verdict in attempt.verdicts],
        "turns": [
            {
                "outcome": turn.outcome.value,
                "reason": turn.reason,
                "cost_usd": turn.cost_usd,
                "verdicts": [verdict_as_json(verdict) for verdict in turn.verdicts],
                "run": run_as_json(turn.run) if turn.run else None,
            }
            for turn in attempt.turns
        ],
    }


def verdict_as_json(verdict: Verdict) -> Data:
    return {
        "check": verdict.check,
        "location": str(verdict.location),
        "outcome": verdict.outcome.value,
        "expected": verdict.expected,
        "found": verdict.found,
        "reason": verdict.reason,
        "weak": verdict.weak,
        "score": as_plain(verdict.score),
        "details": as_plain(verdict.details),
    }


def run_as_json(run: Run) -> Data:
    """All that is known of a run; the project's own checks see it, too."""
    return {
        "id": run.id,
        "thread_id": run.thread_id,
        "status": run.status.value,
        "ending": run.ending.value,
        "model": run.model,
        "answer": run.text,
        "raw_answer": run.raw_text,
        "citations": [asdict(one) for one in run.citations],
        "refusal": run.refusal,
        "declined": run.declined,
        "steps": [_step_as_json(step) for step in run.steps],
        "files": [asdict(file) for file in run.files],
        "usage": asdict(run.usage) if run.usage else None,
        "error": run.error,
        "error_code": run.error_code,
        "duration_s": None if run.duration_s is None else round(run.duration_s, 3),
        "replayed": run.is_replayed,
    }


def _step_as_json(step: Step) -> Data:
    data = asdict(step)
    for found in data["results"]:
        found["score"] = found["score"] if isfinite(found["score"]) else 0.0
    return data


def as_plain(value: object) -> Any:
    """What JSON has a word for; a decimal is a number again, no number is None, and what is left is its text."""
    if isinstance(value, Expectation):
        return {value.check: as_plain(value.parameters)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(one) for one in value]
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() and value.adjusted() < 300 else float(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def result_from_json(data: Mapping[str, Any]) -> ScenarioResult:
    """What `result_as_json` has written. Raises KeyError, TypeError or ValueError for anything else.

    A turn's attachments have their names only.
    """
    variant = data["variant"]
    scenario = scenario_from_json(data)
    return ScenarioResult(
        scenario=scenario,
        outcome=Outcome(data["outcome"]),
        attempts=tuple(attempt_from_json(one, scenario) for one in data["attempts"]),
        reason=data["reason"],
        variant=Variant(**variant) if variant else None,
        definition=data["definition"],
    )


def scenario_from_json(data: Mapping[str, Any]) -> Scenario:
    """The scenario as a result tells of it: enough to report on, not to play."""
    turns = tuple(
        Turn(
            ask=one["ask"],
            attachments=tuple(_attachment(name, one["location"]) for name in one["attachments"]),
            expectations=_expectations(one["expect"]),
            location=Location.parse(one["location"]),
        )
        for one in data["turns"]
    )
    return Scenario(
        name=data["name"],
        assistant=Address(data["assistant"]),
        turns=turns,
        expectations=_expectations(data.get("expect", ())),
        tags=tuple(data["tags"]),
        description=data["description"],
        skip=data["skip"],
        repeat=data["repeat"],
        pass_at_least=data["pass_at_least"],
        golden=data["golden"],
        item=data["item"],
        declared_at=Location.parse(data["declared_at"]) if data["declared_at"] else None,
        location=Location.parse(data["location"]),
    )


def _expectations(data: Sequence[Mapping[str, Any]]) -> tuple[Expectation, ...]:
    return tuple(
        Expectation(check=one["check"], parameters=one["parameters"], location=Location.parse(one["location"]))
        for one in data
    )


def attempt_from_json(data: Mapping[str, Any], scenario: Scenario) -> Attempt:
    """What `attempt_as_json` has written about an attempt at a scenario."""
    return Attempt(
        outcome=Outcome(data["outcome"]),
        reason=data["reason"],
        duration_s=data["duration_s"],
        retried=tuple(Retry(**one) for one in data["retried"]),
        verdicts=tuple(verdict_from_json(one) for one in data.get("verdicts", ())),
        turns=tuple(
            TurnResult(
                turn=turn,
                outcome=Outcome(one["outcome"]),
                reason=one["reason"],
                cost_usd=one["cost_usd"],
                verdicts=tuple(verdict_from_json(each) for each in one["verdicts"]),
                run=run_from_json(one["run"]) if one["run"] else None,
            )
            for turn, one in zip(scenario.turns, data["turns"], strict=False)
        ),
    )


def _attachment(name: str, place: str) -> LocalFile:
    return LocalFile(path=Path(name), name=name, use=FileUse.INPUT, size_bytes=0, location=Location.parse(place))


def verdict_from_json(data: Mapping[str, Any]) -> Verdict:
    known = {**data, "outcome": Outcome(data["outcome"]), "location": Location.parse(data["location"])}
    return Verdict(**known)


def run_from_json(data: Mapping[str, Any]) -> Run:
    return Run(
        id=RunId(data["id"]),
        thread_id=ThreadId(data["thread_id"]),
        status=RunStatus(data["status"]),
        text=data["answer"],
        raw_text=data["raw_answer"],
        citations=tuple(Citation(**one) for one in data["citations"]),
        steps=tuple(
            Step(**{**one, "results": tuple(SearchResult(**each) for each in one["results"])}) for one in data["steps"]
        ),
        files=tuple(ProducedFile(**one) for one in data["files"]),
        usage=Usage(**data["usage"]) if data["usage"] else None,
        model=data["model"],
        declined=data["declined"],
        refusal=data["refusal"],
        error=data["error"],
        error_code=data["error_code"],
        duration_s=data["duration_s"],
        is_replayed=data.get("replayed", False),
    )
