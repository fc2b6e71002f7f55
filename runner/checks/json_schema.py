"""The answer is JSON that fits a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.checks import BREAKS, FAILS, JSON_SCHEMA, PASSES, Example, an_answer, field, parameters
from runner.checks._json import IN_THE_ANSWER, NoJson, read_json
from runner.checks._text import tell
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "schema"
SCHEMA = parameters(
    "The answer is JSON and fits this JSON Schema (draft 2020-12, or the one that its `$schema` names). Nothing is "
    "fetched: a `$ref` stays inside the schema. A keyword that the draft doesn't have is a mistake, but for `x-...` "
    "and OpenAPI's example, nullable, discriminator, xml, externalDocs, which say nothing here. Of `format`, date, "
    "time, date-time, email, uri, uuid, ipv4 and ipv6 are looked at; any other is a mistake: write a `pattern`.",
    required=["schema"],
    schema=field(
        "object",
        "The schema. A mapping without `schema` and `place` is the schema itself.",
        {"type": "object", "required": ["total"]},
        format=JSON_SCHEMA,
    ),
    place=IN_THE_ANSWER,
)
EXAMPLES = (
    Example("json_schema: {type: object, required: [total]}", '{"total": 39.25}', PASSES),
    Example(
        "json_schema: {schema: {type: object, properties: {total: {type: number}}, required: [total]}}",
        '{"total": 39.25}',
        PASSES,
    ),
    Example("json_schema: {schema: {required: [total], type: object}}", '{"sum": 39.25}', FAILS),
    Example("json_schema: {schema: {type: array}}", "39.25, I think.", FAILS),
    Example("json_schema: {schema: {type: array}}", an_answer("[1, 2", status=RunStatus.INCOMPLETE), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    schema: Mapping[str, Any]
    place: str = "alone_or_fenced"

    def __post_init__(self) -> None:
        from runner.json_schema import check_schema, says_nothing

        try:
            check_schema(self.schema)
        except ValueError as error:
            raise ValueError(f"`schema` {error}") from error
        if says_nothing(self.schema):
            raise ValueError("any JSON fits this schema: write `json`, or say what it has to be like")

    def judge(self, run: Run) -> Finding:
        from runner.json_schema import CannotTell, tell_mismatch

        try:
            mismatch = tell_mismatch(read_json(run.text, self.place), self.schema)
        except CannotTell as error:
            raise CheckBroken(str(error)) from error
        except NoJson as error:
            mismatch = f"no JSON: {error}"
        return tell("JSON that fits the schema", run.text, mismatch)
