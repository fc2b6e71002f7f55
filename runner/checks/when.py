"""Checks that hold only on some targets, apis or models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.checks import (
    API_NAME,
    ELSEWHERE,
    FAILS,
    MODEL_NAME,
    PASSES,
    TARGET_NAME,
    Example,
    Exchange,
    Part,
    parameters,
    parts,
)
from runner.checks._parts import name_parts
from runner.checks.all_of import Check as AllOf
from runner.domain.report import Finding, Verdict
from runner.errors import CheckBroken


def _names(what: str, **more: Any) -> dict[str, Any]:
    return {
        "type": ["array", "string"],
        "items": {"type": "string", "minLength": 1, **more},
        "minItems": 1,
        "minLength": 1,
        "description": f"Only on {what}: one, or a list.",
        **more,
    }


MAIN_FIELD = "expect"
SCHEMA = parameters(
    "All of these checks hold, where the answer comes from one of these targets, apis or models; elsewhere this is a "
    "weak pass, and among other checks inside one as if it were not there. At least one of the three is named.",
    required=["expect"],
    examples=[{"target": "embedded", "expect": [{"tool_called": "file_search"}]}],
    expect=parts("The checks.", example=[{"tool_called": "file_search"}]),
    target=_names("these targets of assistants.yaml", format=TARGET_NAME, examples=["embedded"]),
    api=_names("these APIs", format=API_NAME, examples=["responses"]),
    model=_names(
        "these models, as the assistant (or `--model`) names them", format=MODEL_NAME, examples=["gpt-6-luna"]
    ),
)
EXAMPLES = (
    Example("when: {api: responses, expect: {contains: Oslo}}", "Oslo is the capital.", PASSES),
    Example("when: {api: [agents, responses], expect: {contains: Oslo}}", "Bergen is the capital.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(AllOf):
    target: str | Sequence[str] | None = None
    api: str | Sequence[str] | None = None
    model: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.target is self.api is self.model is None:
            raise ValueError("says nothing about where; name a `target`, an `api` or a `model`")

    def parts_in(self, exchange: Exchange | None) -> tuple[Part, ...]:
        if exchange is None:
            raise CheckBroken("`when` can't stand here: it isn't known where this comes from")
        places = ((self.target, exchange.target), (self.api, exchange.api), (self.model, exchange.model))
        applies = all(here in _as_list(wanted) for wanted, here in places if wanted is not None)
        return tuple(self.expect) if applies else ()

    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        expected = f"{name_parts(self.expect)}, on {self._describe_places()}"
        if not verdicts:
            return Finding(holds=None, expected=expected, found="nothing was checked", reason=ELSEWHERE)
        return replace(AllOf.combine(self, verdicts), expected=expected)

    def _describe_places(self) -> str:
        places = (("target", self.target), ("api", self.api), ("model", self.model))
        return " and ".join(f"{kind} {' or '.join(_as_list(names))}" for kind, names in places if names is not None)


def _as_list(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
