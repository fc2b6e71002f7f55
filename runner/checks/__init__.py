"""Checks: one file per rule that an answer can be held to; the file's name is the name users write.

A check module has three names:

- `SCHEMA`: the JSON Schema (an object with `properties`, `additionalProperties: False`) of its parameters; a text with
  `format: TOOL_NAME` has to be a tool's name, or a function's of the assistant that is talked to; one with
  `format: FILE_NAME` names a file that the assistant gets, by the check's method `names(file: str) -> bool`;
- `MAIN_FIELD`: the property that `check: value` sets;
- `Check`: a frozen dataclass whose fields are those properties, with one method, `judge`. Its constructor
  raises ValueError, with a message for users, for parameters that the schema can't rule out;
- if it judges by data in files, `prepare()`, which reads them: called once before a play opens its connections.

Not here: deciding what a turn comes to (`execution/judging.py`), reading YAML (`config/`).
"""

from __future__ import annotations

from typing import Protocol

from runner.domain.conversation import Ending, Run
from runner.domain.report import Finding

TOOL_NAME = "tool-name"
FILE_NAME = "file-name"
ORDINARY_ENDINGS = frozenset({Ending.ANSWERED})


class Check(Protocol):
    """A rule and its parameters.

    `judge` is pure. It sees only runs whose ending is among `endings` (a class attribute; most checks
    leave it at ANSWERED). It raises CheckBroken when the run lacks what the rule needs to be decided.
    """

    def judge(self, run: Run) -> Finding: ...
