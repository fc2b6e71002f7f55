"""How long everything else waits for checks of hostile answers: the most computing between two beats, for each answer.

Answers are as long as they may be where they are judged at hand (`execution/apart.py`), and each is held to one check
of every kind and to patterns that never end. `python benchmarks/held_up.py` exits with 1 if it is 0.25 s.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import closing

from checks import KINDS

from runner.checks import Exchange, an_answer
from runner.domain.assistant import Address
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location
from runner.execution.apart import LONGEST_AT_HAND
from runner.execution.judging import Asker, judge_exchange, prepare_checks

LIMIT_S, BEAT_S = 0.25, 0.002
HOPELESS = ("(a|aa)+$", "(a+)+b", "(.*)*x", r"(\w+\s?)+$!", "(x+x+)+y", r"([a-z]+)*\d$")
SHAPES = {
    "a word": "a",
    "digits": "1",
    "amounts": "1,234 39,25 5 km $39.25 5% (5) 7 ft 5; 4 March 2026 or 04/03/2026 12:30; ",
    "percentages": "5% ",
    "units": "5 km 3 kg 20 min 7 ft ",
    "brackets": '[{"a":',
    "marks": "[a](**_`~~<b><!--&amp;|#\n```",
    "letters": "e\u0301\u0323\n\u200b\x00\u202e٣",
    "nearly": "burge You pay 39.2 I can't, can not or cannot help with 30 day ",
    "hopeless": "a" * 60 + "b ",
}


def main() -> int:
    late = asyncio.run(_measure())
    for name, late_s in late.items():
        print(f"{name:<14}{late_s * 1000:>8.0f} ms")
    return int(max(late.values()) > LIMIT_S)


async def _measure() -> dict[str, float]:
    written = [*KINDS.items(), *(("matches", {"pattern": one}) for one in HOPELESS)]
    expected = tuple(
        Expectation(check=name, parameters=given, location=Location("hostile.yaml", line, 1))
        for line, (name, given) in enumerate(written, start=1)
    )
    turn = Turn(ask="?", expectations=expected, location=Location("hostile.yaml", 1, 1))
    scenario = Scenario(name="hostile", assistant=Address("guide"), turns=(turn,), location=turn.location)
    prepare_checks([scenario])
    late: dict[str, float] = {}
    with closing(Asker()) as ask:
        for name, text in SHAPES.items():
            run = an_answer((text * LONGEST_AT_HAND)[:LONGEST_AT_HAND])
            exchange = Exchange(scenario=scenario, turns=((turn, run),), target="", api="", model="")
            beats = asyncio.create_task(_beat())
            await asyncio.sleep(0)
            await judge_exchange(exchange, ask)
            beats.cancel()
            late[name] = await beats
    return late


async def _beat() -> float:
    """The most that was computed between two beats, in seconds, once it is cancelled; other programs are not seen."""
    most_s, last_s = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(BEAT_S)
            now_s = time.thread_time()
            most_s, last_s = max(most_s, now_s - last_s), now_s
    except asyncio.CancelledError:
        return max(most_s, time.thread_time() - last_s)


if __name__ == "__main__":
    sys.exit(main())
