"""The answer is JSON."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, parameters
from runner.checks._json import IN_THE_ANSWER, NoJson, read_json
from runner.checks._text import tell
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding

MAIN_FIELD = "place"
SCHEMA = parameters(
    "The answer is JSON, all of it or what stands in its only ``` fence. Stricter than most readers: a key twice in "
    "one object, NaN and Infinity are no JSON.",
    place=IN_THE_ANSWER,
)
EXAMPLES = (
    Example("json", '{"total": 39.25}', PASSES),
    Example("json", 'Here you are:\n```json\n{"total": 39.25}\n```\n', PASSES),
    Example("json: alone", '```json\n{"total": 39.25}\n```', FAILS),
    Example("json", '{"total": 39.25, "total": 40}', FAILS),
    Example("json", "The total is 39.25.", FAILS),
    Example("json", an_answer('{"total": 3', status=RunStatus.INCOMPLETE), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    place: str = "alone_or_fenced"

    def judge(self, run: Run) -> Finding:
        reason = ""
        try:
            read_json(run.text, self.place)
        except NoJson as error:
            reason = f"no JSON: {error}"
        return tell("JSON", run.text, reason)
