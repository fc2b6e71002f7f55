"""The run ends as it should, which may be: incomplete, or failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, field, parameters, text_field
from runner.checks._text import shorten, tell
from runner.domain.conversation import Ending, Run, RunStatus
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The run ends like this. Without it, an ending other than `completed` is an error; when it holds, the other "
    "checks judge what there is of an answer. A refusal isn't expected by `completed`: say `refuses`. What failed as "
    "`invalid_prompt` was asked wrongly, as by a mistake in a script: an error, but where `code` says it.",
    required=["value"],
    value=field("string", "The ending.", "incomplete", enum=[status.value for status in RunStatus]),
    code=text_field(
        "The API's own word for the cause: max_output_tokens, content_filter, server_error.",
        "max_output_tokens",
        maxLength=200,
    ),
)
_ASKED_WRONGLY = "invalid_prompt"
_CUT_OFF = an_answer("You pay", status=RunStatus.INCOMPLETE, error_code="max_output_tokens")
EXAMPLES = (
    Example("status: {value: incomplete, code: max_output_tokens}", _CUT_OFF, PASSES),
    Example("status: {value: incomplete, code: content_filter}", _CUT_OFF, BREAKS),
    Example("status: incomplete", "You pay 39.25.", FAILS),
    Example("status: completed", _CUT_OFF, BREAKS),
    Example("status: failed", an_answer(status=RunStatus.FAILED, error_code=_ASKED_WRONGLY), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str
    code: str | None = None

    endings: ClassVar[frozenset[Ending]] = frozenset({Ending.ANSWERED, Ending.BROKEN})

    def judge(self, run: Run) -> Finding:
        if run.error_code == _ASKED_WRONGLY != self.code:
            raise CheckBroken(shorten(f"the question was asked wrongly ({_ASKED_WRONGLY}): {run.error or ''}"))
        holds = run.status.value == self.value and self.code in (None, run.error_code)
        expected = f"{self.value}{f' ({self.code})' if self.code else ''}"
        found = f"{run.status.value}{f' ({run.error_code})' if run.error_code else ''}"
        return tell(f"the run ends as {expected}", found, "" if holds else f"the run ended as {found}")
