"""A turn judged as a play judges it, with no process beside this one: what checks take is taken here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from runner.checks import Exchange, Part
from runner.domain.assistant import Address
from runner.domain.conversation import Run
from runner.domain.report import TurnResult, Verdict
from runner.domain.scenario import Scenario, Turn
from runner.execution.judging import Asker, judge_exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHand(Asker):
    async def judge(self, part: Part, exchange: Exchange) -> Verdict:
        return part.judge(exchange.run, exchange)


def judge_turn(turn: Turn, run: Run, exchange: Exchange | None = None) -> TurnResult:
    scenario = Scenario(name="x", assistant=Address("guide"), turns=(turn,), location=turn.location)
    said = Exchange(scenario=scenario, turns=((turn, run),), target="embedded", api="responses", model="gpt-6-luna")
    return asyncio.run(judge_exchange(exchange or said, AtHand()))
