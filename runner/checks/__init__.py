"""Checks: one file per rule that an answer can be held to; the file's name is the name users write.

A check module has these names:

- `SCHEMA`: the JSON Schema (an object with `properties`, `additionalProperties: False`) of its parameters; a text with
  `format: TOOL_NAME` has to be a tool's name, or a function's of the assistant that is talked to; one with
  `format: FILE_NAME` names a file that the assistant gets, by the check's method `names(file: str) -> bool`;
- `MAIN_FIELD`: the property that `check: value` sets. Where nothing is `required` and `minProperties` isn't set, the
  check's name alone is a check, too;
- `EXAMPLES`: the check as users write it, with an answer and what comes of it; tests run them, the docs show them;
- `Check`: a frozen dataclass whose fields are those properties, with one method, `judge`. Its constructor
  raises ValueError, with a message for users, for parameters that the schema can't rule out;
- if it judges by data in files, `prepare()`, which reads them: called once before a play opens its connections.

Not here: deciding what a turn comes to (`execution/judging.py`), reading YAML (`config/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from runner.domain.conversation import Ending, Run, RunId, RunStatus, ThreadId
from runner.domain.report import Finding, Outcome

TOOL_NAME = "tool-name"
FILE_NAME = "file-name"
ORDINARY_ENDINGS = frozenset({Ending.ANSWERED})
PASSES, FAILS, BREAKS = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED
"""What may come of an example."""


class Check(Protocol):
    """A rule and its parameters.

    `judge` is pure. It sees only runs whose ending is among `endings` (a class attribute; most checks
    leave it at ANSWERED). It raises CheckBroken when the run lacks what the rule needs to be decided.
    It takes a second at most, whatever the answer is: nothing can interrupt it.
    """

    def judge(self, run: Run) -> Finding: ...


@dataclass(frozen=True, slots=True)
class Example:
    """An item of `expect` in YAML, an answer (its text, or the whole run), and what comes of the two."""

    check: str
    answer: str | Run
    outcome: Outcome

    @property
    def run(self) -> Run:
        return an_answer(self.answer) if isinstance(self.answer, str) else self.answer


def an_answer(text: str = "", **fields: Any) -> Run:
    """A completed run with this text, for examples."""
    return Run(
        **{"id": RunId("run"), "thread_id": ThreadId("thread"), "status": RunStatus.COMPLETED, **fields}, text=text
    )
