"""The code interpreter made a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.checks import (
    BREAKS,
    FAILS,
    PASSES,
    Example,
    Part,
    an_answer,
    check_limits,
    describe_limits,
    field,
    parameters,
    parts,
    text_field,
)
from runner.checks._parts import explain, name_parts, saying
from runner.checks._text import quote, tell
from runner.checks.cites import OfFile
from runner.domain.conversation import ProducedFile, Run
from runner.domain.report import Finding, Outcome
from runner.errors import CheckBroken

MAIN_FIELD = "name"
NEEDS_TOOLS = ("code_interpreter",)
NEEDS_NONE_ON = "agents"
SCHEMA = parameters(
    "The code interpreter made a file with this name, of this size, whose text passes these checks. One file has to "
    "have all of it. What could not be read before its container went is an error.",
    required=["name"],
    name=text_field(
        "The file's name, folders before it apart; * and ? stand for any characters and any one, so `*.csv` says of "
        "which type it is. Upper and lower case make no difference.",
        "*.csv",
        maxLength=300,
    ),
    min_bytes=field("integer", "So many bytes at least.", minimum=0),
    max_bytes=field("integer", "So many bytes at most.", minimum=0),
    expect=parts(
        "Checks on its text, as if it were the answer: UTF-8 of a megabyte at most. In JSON use `json_path`.",
        example={"contains": "burger"},
    ),
)
_CSV = ProducedFile(name="prices.csv", size_bytes=25, sha256="", text="name,price\nburger,23.75\n")
_SODA = ProducedFile(name="prices.csv", size_bytes=23, sha256="", text="name,price\nsoda,15.50\n")
_PLOT = ProducedFile(name="plot.png", size_bytes=2048, sha256="")
_GONE = ProducedFile(name="prices.csv", problem="the container had expired")
EXAMPLES = (
    Example("produces: '*.csv'", an_answer("Done.", files=(_CSV, _PLOT)), PASSES),
    Example(
        "produces: {name: prices.csv, min_bytes: 1, expect: {contains: burger}}", an_answer("1", files=(_CSV,)), PASSES
    ),
    Example("produces: {name: '*.csv', expect: {contains: soda}}", an_answer("Done.", files=(_CSV,)), FAILS),
    Example("produces: {name: '*.png', max_bytes: 1000}", an_answer("Done.", files=(_PLOT,)), FAILS),
    Example("produces: '*.csv'", "Done.", FAILS),
    Example("produces: {name: '*.csv', min_bytes: 1}", an_answer("Done.", files=(_GONE,)), BREAKS),
    Example("produces: {name: '*.png', expect: {contains: soda}}", an_answer("Done.", files=(_PLOT,)), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    min_bytes: int | None = None
    max_bytes: int | None = None
    expect: Sequence[Part] = ()

    def __post_init__(self) -> None:
        OfFile(file=self.name)
        if self._has_limits:
            check_limits(self.min_bytes, self.max_bytes)

    def judge(self, run: Run) -> Finding:
        named = [file for file in run.files if OfFile(file=self.name).names(file.name)]
        reasons, broken = [], None
        for file in named:
            try:
                reason = self._objection(run, file)
            except CheckBroken as error:  # another file may have all of it
                broken = broken or error
                continue
            if not reason:
                return self._finding(run, "")
            reasons.append(f"{file.name}: {reason}")
        if broken:
            raise broken
        return self._finding(run, "; ".join(reasons) or "no file of that name was made")

    def _objection(self, run: Run, file: ProducedFile) -> str:
        """What a file of that name lacks. Raises CheckBroken if it can't be told."""
        if self._has_limits:
            size = file.size_bytes
            if size is None:
                raise CheckBroken(f"the size of {file.name} is not known: {file.problem or 'it was not read'}")
            if size < (self.min_bytes or 0) or (self.max_bytes is not None and size > self.max_bytes):
                return f"it has {size:,} bytes"
        if not self.expect:
            return ""
        if file.text is None:
            raise CheckBroken(f"the text of {file.name} is not known: {file.problem or 'it is no text, or too large'}")
        verdicts = [part.judge(saying(run, file.text)) for part in self.expect]
        if any(one.outcome is Outcome.FAILED for one in verdicts):
            return explain(verdicts, Outcome.FAILED)
        if any(one.outcome is Outcome.ERRORED for one in verdicts):
            raise CheckBroken(explain(verdicts, Outcome.ERRORED))
        return ""

    @property
    def _has_limits(self) -> bool:
        return self.min_bytes is not None or self.max_bytes is not None

    def _finding(self, run: Run, reason: str) -> Finding:
        wants = [f"a file {quote(self.name)}"]
        wants += [f"of {describe_limits(self.min_bytes, self.max_bytes)} bytes"] if self._has_limits else []
        wants += [f"that passes {name_parts(self.expect)}"] if self.expect else []
        found = ", ".join(f"{file.name} ({_size(file)})" for file in run.files[:50])
        return tell(" ".join(wants), found or "no file", reason)


def _size(file: ProducedFile) -> str:
    return "not read" if file.size_bytes is None else f"{file.size_bytes:,} bytes"
