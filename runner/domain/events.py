"""What a play tells its reporters while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from runner.domain.report import Report, ScenarioResult, TurnResult
from runner.domain.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayStarted:
    """Before the first scenario. `inference` and `sandbox` are None where no embedded server answers."""

    target: str
    api: str
    inference: str | None
    planned: int
    sandbox: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStarted:
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished:
    scenario: Scenario
    result: TurnResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFinished:
    result: ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFinished:
    report: Report


PlayEvent = PlayStarted | ScenarioStarted | TurnFinished | ScenarioFinished | PlayFinished
