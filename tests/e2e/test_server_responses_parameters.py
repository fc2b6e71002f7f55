"""Every parameter that OpenAI's OpenAPI file gives a response: it is read, or refused by name, and never ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import openai
import pytest
from acting_brains import Actor, serve_in_sight
from openai_schemas import OPENAPI

from runner.server.inference import Answer

pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason=f"no OpenAPI file at {OPENAPI}; set RUNNER_SHARED")

NONSENSE = {"no such": {"thing": 1}}
"""No value that any parameter can have."""

Json = dict[str, Any]


@cache
def schemas() -> Json:
    document: Json = json.loads(OPENAPI.read_text(encoding="utf-8"))
    found: Json = document["components"]["schemas"]
    return found


def properties(name: str) -> set[str]:
    schema = schemas()[name]
    found = set(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= properties(part["$ref"].rsplit("/", 1)[-1]) if "$ref" in part else set(part.get("properties", {}))
    return found


def body(**fields: object) -> Json:
    return {"model": "any-model", "input": "Hello", **fields}


def with_tool(tool: Json) -> Json:
    return body(tools=[tool])


def with_item(item: Json) -> Json:
    return body(input=[item])


def with_part(part: Json) -> Json:
    return body(input=[{"role": "user", "content": [part]}])


def with_filter(one: Json) -> Json:
    return with_tool({**SEARCH, "filters": one})


SEARCH: Json = {"type": "file_search", "vector_store_ids": []}
CODE: Json = {"type": "code_interpreter", "container": {"type": "auto"}}
PLACES: dict[str, tuple[Callable[[Json], Json], Json]] = {
    "CreateResponse": (lambda fields: body(**fields), {}),
    "ResponseTextParam": (lambda text: body(text=text), {}),
    "Reasoning": (lambda reasoning: body(reasoning=reasoning), {}),
    "ResponseStreamOptions": (lambda options: body(stream_options=options), {}),
    "FunctionTool": (with_tool, {"type": "function", "name": "rate", "parameters": {}, "strict": False}),
    "FileSearchTool": (with_tool, SEARCH),
    "RankingOptions": (lambda options: with_tool({**SEARCH, "ranking_options": options}), {}),
    "ComparisonFilter": (with_filter, {"type": "eq", "key": "city", "value": "Oslo"}),
    "CompoundFilter": (with_filter, {"type": "and", "filters": []}),
    "CodeInterpreterTool": (with_tool, CODE),
    "AutoCodeInterpreterToolParam": (lambda one: with_tool({**CODE, "container": one}), {"type": "auto"}),
    "InputMessage": (with_item, {"role": "user", "content": "Hello"}),
    "FunctionToolCall": (with_item, {"type": "function_call", "call_id": "c", "name": "rate", "arguments": "{}"}),
    "FunctionCallOutputItemParam": (with_item, {"type": "function_call_output", "call_id": "c", "output": "1"}),
    "FileSearchToolCall": (with_item, {"type": "file_search_call", "id": "fs_1", "queries": []}),
    "CodeInterpreterToolCall": (with_item, {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"}),
    "ReasoningItem": (with_item, {"type": "reasoning", "id": "rs_1", "summary": []}),
    "ItemReferenceParam": (with_item, {"type": "item_reference", "id": "msg_1"}),
    "InputTextContent": (with_part, {"type": "input_text", "text": "Hello"}),
    "InputImageContent": (with_part, {"type": "input_image", "image_url": "data:image/png;base64,aaaa"}),
    "InputFileContent": (with_part, {"type": "input_file", "filename": "a.txt", "file_data": "aaaa"}),
}
UNCHECKED = {
    # What the server gave an item, sent back: it gives new ones.
    "id",
    "status",
    # A JSON Schema, which may have any field.
    "parameters",
}


def parameters() -> list[Any]:
    if not OPENAPI.exists():
        return []
    wanted = ((schema, name) for schema in PLACES for name in sorted(properties(schema) - UNCHECKED))
    return [pytest.param(schema, name, id=f"{schema}.{name}") for schema, name in wanted]


@pytest.mark.parametrize(("schema", "name"), parameters())
async def test_nonsense_in_a_parameter_is_refused_by_its_name(tmp_path: Path, schema: str, name: str) -> None:
    place, fields = PLACES[schema]
    async with serve_in_sight(tmp_path, Actor(Answer(text="Yes."))) as (_, client):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.post("/responses", cast_to=object, body=place({**fields, name: NONSENSE}))

    assert caught.value.type == "invalid_request_error"
    assert name in str(caught.value.param)
