"""Results of plays that never were, for tests of what is made of results."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from runner.domain.assistant import Address
from runner.domain.conversation import (
    Citation,
    FileId,
    ProducedFile,
    Run,
    RunId,
    RunStatus,
    SearchResult,
    Step,
    ThreadId,
    Usage,
)
from runner.domain.report import Attempt, Outcome, Report, Retry, ScenarioResult, TurnResult, Variant, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location

SECRET = "canary-1234567890"
ENCODED_SECRETS = (SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode())
HOSTILE = (
    "=cmd()|'/C calc'!A0 \x1b]0;owned\x07\x1b[31m \x9b1m \ud800 \x00 \ufffe \u202e </script><script>alert(1)</script>"
    "]]>--><img src=x onerror=alert(1)> &amp; | `x` ``` @all #1 ![i](http://evil.example/x.png) <!-- %0A\r\n"
    "::error file=a::owned\n##vso[task.complete]\n```\n</details>\n{{ 7*7 }} " + " ".join(ENCODED_SECRETS)
)
VARIANT = Variant(target="embedded", api="assistants", inference="offline")
OTHER = Variant(target="embedded", api="assistants", model="other", inference="offline")


def scenario(name: str, *, words: str = "What is 2 + 2?", line: int = 3, repeat: int = 1, turns: int = 1) -> Scenario:
    asked = tuple(
        Turn(
            ask=words,
            location=Location("scenarios/sums.yaml", line + number, 5),
            expectations=(
                Expectation(
                    check="contains", parameters={"value": words}, location=Location("scenarios/sums.yaml", line + 1, 7)
                ),
            ),
        )
        for number in range(turns)
    )
    place = Location("scenarios/sums.yaml", line, 3)
    return Scenario(name=name, assistant=Address("a"), turns=asked, location=place, repeat=repeat, tags=("sums",))


def attempt(outcome: Outcome, scenario: Scenario, *, words: str = "5", retried: bool = False) -> Attempt:
    """One time through; all but the last turn passed."""
    turns = [_turn(Outcome.PASSED, turn, words) for turn in scenario.turns[:-1]]
    turns.append(_turn(outcome, scenario.turns[-1], words))
    retries = (Retry(code="server_error", reason=words),) if retried else ()
    return Attempt(outcome=outcome, turns=tuple(turns), duration_s=0.25, retried=retries)


def failed_together(name: str, words: str = "5") -> ScenarioResult:
    """Each turn passed, and what was expected of all together did not hold."""
    result = played(name, Outcome.PASSED, outcome=Outcome.FAILED, words=words)
    (one,) = result.attempts
    place = Location("scenarios/sums.yaml", 9, 7)
    verdict = Verdict(outcome=Outcome.FAILED, check="equals", location=place, expected="7", found=words)
    return replace(result, attempts=(replace(one, outcome=Outcome.FAILED, verdicts=(verdict,)),))


def _turn(outcome: Outcome, turn: Turn, words: str) -> TurnResult:
    verdict = Verdict(
        outcome=outcome, check="contains", location=turn.expectations[0].location, expected="4", found=words,
        reason=words if outcome is Outcome.ERRORED else "",
    )  # fmt: skip
    steps = (
        Step(tool="code_interpreter", completed=True, input=f"print({words!r})", output=words),
        Step(
            tool="file_search",
            completed=True,
            results=(SearchResult(file_id=FileId("f"), filename=words, score=0.5, text=words),),
        ),
        Step(tool="function", completed=True, input='{"a": 1}', output=words, label="f"),
    )
    run = Run(
        id=RunId("r"), thread_id=ThreadId("t"), status=RunStatus.COMPLETED, text=words, raw_text=words, steps=steps,
        citations=(Citation(position=0, file_id=FileId("f"), filename=words, quote=words, mark="[1]"),),
        files=(ProducedFile(name=words, size_bytes=9, sha256="ab", text=words, problem=words),),
        usage=Usage(input_tokens=7, output_tokens=3, total_tokens=10), model="gpt-6-luna", duration_s=0.2,
    )  # fmt: skip
    judged = () if outcome is Outcome.ERRORED else (verdict,)
    reason = words if outcome is Outcome.ERRORED else ""
    return TurnResult(turn=turn, outcome=outcome, run=run, verdicts=judged, reason=reason, cost_usd=0.001)


def played(
    name: str, *outcomes: Outcome, outcome: Outcome | None = None, words: str = "5", variant: Variant = VARIANT
) -> ScenarioResult:
    """A scenario whose attempts came to these outcomes; without any, it never began."""
    asked = scenario(name, repeat=max(1, len(outcomes)), words=words if words != "5" else "What is 2 + 2?")
    return ScenarioResult(
        scenario=asked,
        outcome=outcome or (outcomes[0] if outcomes else Outcome.SKIPPED),
        attempts=tuple(attempt(one, asked, words=words) for one in outcomes),
        reason="" if outcomes else "not started: the first that failed ends the play",
        variant=variant,
        definition="0123456789ab",
    )


def of_every_kind(words: str = "5", *, names: str = "") -> list[ScenarioResult]:
    """Passed, failed, errored, declined, flaky, failed again, skipped, and never begun."""
    passed, failed, errored = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED
    declined = played(f"declined{names}", errored, words=words)
    (only,) = declined.attempts
    (turn,) = only.turns
    assert turn.run is not None
    no_answer = replace(turn, run=replace(turn.run, text="", declined=words))
    skipped = played(f"skipped{names}", words=words)
    return [
        played(f"passed{names}", passed, words=words),
        played(f"failed{names}", failed, words=words),
        played(f"errored{names}", errored, words=words),
        replace(declined, attempts=(replace(only, turns=(no_answer,)),)),
        played(f"flaky{names}", passed, failed, passed, outcome=Outcome.FLAKY, words=words),
        played(f"failed thrice{names}", failed, errored, failed, words=words),
        replace(skipped, scenario=replace(skipped.scenario, skip=words), reason=words),
        played(f"never begun{names}", words=words),
    ]


def definition(words: str = "You add numbers.") -> dict[str, object]:
    """An assistant as it was played."""
    return {
        "name": words,
        "model": "gpt-6-luna",
        "instructions": words,
        "tool file_search": {"max_num_results": 5},
        "function f": {"description": words, "parameters": {"type": "object"}},
        f"metadata {words}": words,
        "files": [{"name": words, "for": "file_search", "sha256": "ab"}],
    }


def report_of(
    results: Iterable[ScenarioResult],
    *,
    variants: Sequence[Variant] = (VARIANT,),
    leftovers: tuple[str, ...] = (),
    words: str = "You add numbers.",
) -> Report:
    kept = tuple(results)
    return Report(
        variants=tuple(variants), planned=len(kept), results=kept, play_id="20261129T080000Z-abc123",
        started_at="2026-11-29T08:00:00Z", duration_s=1.5, leftovers=leftovers,
        definitions={"0123456789ab": definition(words), "ba9876543210": {}},
    )  # fmt: skip


def places_in(data: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """Where each part of it stands."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, part in inside:
        yield (*above, key)
        yield from places_in(part, *above, key)
