"""The assistant ran code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example, an_answer, parameters, texts_field
from runner.checks._text import as_tuple, has_passage, normalise_wanted, quote, shorten, tell
from runner.checks.tool_called import calls_of, describe_calls
from runner.domain.conversation import Run, Step
from runner.domain.report import Finding

MAIN_FIELD = "code"
NEEDS_TOOLS = ("code_interpreter",)
SCHEMA = parameters(
    "The code interpreter ran code, and it ran to its end. With `code` and `printed`, one and the same call has all "
    "of those texts; where they stand doesn't matter, kinds of space don't, upper and lower case do.",
    code=texts_field("What the code has in it; of a list, all of it.", "read_csv"),
    printed=texts_field("What it printed, or what came of its last line.", "39.25"),
)
_CODE = Step(tool="code_interpreter", completed=True, input="print(23.75 + 15.50)", output="39.25\n")
EXAMPLES = (
    Example("code_ran", an_answer("39.25", steps=(_CODE,)), PASSES),
    Example("code_ran: {code: ['23.75', '15.50'], printed: '39.25'}", an_answer("39.25", steps=(_CODE,)), PASSES),
    Example("code_ran: {printed: '40'}", an_answer("39.25", steps=(_CODE,)), FAILS),
    Example("code_ran", "39.25", FAILS),
)
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    code: str | Sequence[str] = ()
    printed: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        for text in (*as_tuple(self.code), *as_tuple(self.printed)):
            normalise_wanted(text, case=True)

    def judge(self, run: Run) -> Finding:
        calls = [call for call in calls_of(run, "code_interpreter") if call.completed]
        holds = any(_has(call.input, self.code, marks=False) and _has(call.output, self.printed) for call in calls)
        reason = ""
        if not holds:
            reason = "no run of code has all of that" if calls else "no code ran to its end"
        wanted = [f"with {quote(text)}" for text in as_tuple(self.code)]
        wanted += [f"printing {quote(text)}" for text in as_tuple(self.printed)]
        shown = "; ".join(f"{shorten(call.input)} printed {quote(call.output)}" for call in calls[:3])
        return tell(" ".join(["code run", *wanted]), shown or describe_calls(run.steps), reason)


def _has(text: str, wanted: str | Sequence[str], *, marks: bool = True) -> bool:
    return all(has_passage(text[:_LONGEST], one, case=True, marks=marks) for one in as_tuple(wanted))
