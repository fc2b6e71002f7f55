"""Answers with a value that stands in the file: always the same, or chosen by the arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.domain.assistant import matches
from runner.functions import FunctionFailed, Misfit, as_text

_ANYTHING = ["string", "integer", "number", "boolean", "null", "array", "object"]
_NOT_SAID = object()

MAIN_FIELD = "value"
SCHEMA = {
    "type": "object",
    "description": "A fixed result, or one that is chosen by the arguments.",
    "properties": {
        "value": {"type": _ANYTHING, "examples": [11.5], "description": "The result of every call."},
        "cases": {
            "type": "array",
            "minItems": 1,
            "examples": [[{"when": {"from": "EUR"}, "value": 11.5}]],
            "items": {
                "type": "object",
                "properties": {
                    "when": {
                        "type": "object",
                        "examples": [{"from": "EUR"}],
                        "description": "Arguments that a call has to have for this case.",
                    },
                    "value": {"type": _ANYTHING, "examples": [11.5], "description": "The result then."},
                },
                "required": ["when", "value"],
                "additionalProperties": False,
            },
            "description": "Results by arguments; the first case that fits the call holds.",
        },
        "default": {
            "type": _ANYTHING,
            "examples": [0],
            "description": "The result where no case fits; without it, such a call fails.",
        },
    },
    "minProperties": 1,
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    is_remote: ClassVar[bool] = False
    value: object = _NOT_SAID
    cases: list[Mapping[str, object]] | None = None
    default: object = _NOT_SAID

    def __post_init__(self) -> None:
        if self.cases is None and self.value is _NOT_SAID:
            raise ValueError("a `default` needs `cases` before it")
        if self.cases is not None and self.value is not _NOT_SAID:
            raise ValueError("`value` and `cases` exclude each other; the result where no case fits is the `default`")
        if self.cases is None and self.default is not _NOT_SAID:
            raise ValueError("`value` and `default` exclude each other")

    @property
    def code(self) -> str:
        return ""

    async def answer(self, arguments: Mapping[str, object]) -> str:
        return as_text(self._choose(arguments))

    def _choose(self, arguments: Mapping[str, object]) -> object:
        if self.cases is None:
            return self.value
        for case in self.cases:
            if matches(case["when"], arguments):
                return case["value"]
        if self.default is _NOT_SAID:
            raise FunctionFailed("there is no result for these arguments")
        return self.default


def find_misfits(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[Misfit]:
    """Cases that are for no call as it is declared."""
    from runner.json_schema import find_impossible

    for index, case in enumerate(settings.get("cases", ())):
        for one in find_impossible(case["when"], parameters):
            message = f"no call fits this case: {one.message}"
            yield Misfit(message=message, hint=one.hint, place=("cases", index, "when", *one.place))
