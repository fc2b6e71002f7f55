"""OpenAI's schemas as validators: of JSON bodies, and of the events of an assistant's stream."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

SHARED = Path(os.environ.get("RUNNER_SHARED", Path(__file__).parents[3] / "shared"))
OPENAPI = SHARED / "openapi" / "openai-2026-08-21.json"

# Where recorded traffic differs from the file, the recordings are right: fields that come as null, or not at all.
NULL_IN_RECORDINGS = {
    "RunObject": ("instructions",),
    "OpenAIFile": ("expires_at", "status_details"),
    "VectorStoreObject": ("name", "expires_after"),
    # An empty list has no first and no last.
    "ListAssistantsResponse": ("first_id", "last_id"),
    "ListFilesResponse": ("first_id", "last_id"),
    "ListMessagesResponse": ("first_id", "last_id"),
    "ListRunsResponse": ("first_id", "last_id"),
    "ListRunStepsResponse": ("first_id", "last_id"),
    "ListVectorStoreFilesResponse": ("first_id", "last_id"),
    "ListVectorStoresResponse": ("first_id", "last_id"),
    "ModelResponseProperties": ("user",),
    "TextResponseFormatJsonSchema": ("description",),
    "ResponseItemList": ("first_id", "last_id"),
    "ConversationItemList": ("first_id", "last_id"),
    "ContainerListResource": ("first_id", "last_id"),
    "ContainerFileListResource": ("first_id", "last_id"),
}
ABSENT_IN_RECORDINGS = {
    "MessageObject": ("status", "incomplete_details", "completed_at", "incomplete_at"),
    "RunStepObject": ("expired_at", "metadata"),
}
RENAMED_IN_RECORDINGS = {"VectorStoreFileBatchObject": ("object", "vector_store.file_batch")}

# The file has no AssistantStreamEvent. Whole objects in a stream are the file's; for deltas there is the SDK.
STREAMED_OBJECTS = {
    "thread.created": "ThreadObject",
    "thread.run.step": "RunStepObject",
    "thread.run": "RunObject",
    "thread.message": "MessageObject",
    "error": "Error",
}
ABSENT_IN_RECORDED_STREAMS = {"RunStepObject": ABSENT_IN_RECORDINGS["RunStepObject"]}

Validate = Callable[[str, object], None]


def openapi_validator(absent: dict[str, tuple[str, ...]] = ABSENT_IN_RECORDINGS) -> Validate:
    """Checks a body against the schema of that name; skips the test where the file is missing."""
    if not OPENAPI.exists():
        pytest.skip(f"no OpenAPI file at {OPENAPI}; set RUNNER_SHARED to check against it")
    may_be_absent = tuple(sorted(absent.items()))

    def check(name: str, body: object) -> None:
        _validator(name, may_be_absent).validate(body)

    return check


@cache
def _validator(name: str, absent: tuple[tuple[str, tuple[str, ...]], ...]) -> Any:
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": _load_components(absent)})


@cache
def _load_components(absent: tuple[tuple[str, tuple[str, ...]], ...]) -> Any:
    document = _allow_nulls(json.loads(OPENAPI.read_text(encoding="utf-8")))
    schemas = document["components"]["schemas"]
    for name, fields in NULL_IN_RECORDINGS.items():
        for field in fields:
            properties = schemas[name]["properties"]
            properties[field] = {"anyOf": [properties[field], {"type": "null"}]}
    for name, fields in absent:
        schemas[name]["required"] = [one for one in schemas[name]["required"] if one not in fields]
    # The file lets an upload have this purpose, and not the answer.
    schemas["OpenAIFile"]["properties"]["purpose"]["enum"].append("evals")
    # A response that is not over, or was cancelled, has no usage.
    schemas["ResponseUsage"] = {"anyOf": [schemas["ResponseUsage"], {"type": "null"}]}
    # `$recursiveRef` is of a draft of 2019: the file's own draft ignores it, and takes anything.
    nested = schemas["CompoundFilter"]["properties"]["filters"]["items"]["oneOf"]
    nested[1] = {"$ref": "#/components/schemas/CompoundFilter"}
    for name, (field, value) in RENAMED_IN_RECORDINGS.items():
        schemas[name]["properties"][field] = {"const": value}
    return document["components"]


def _allow_nulls(node: Any) -> Any:
    """The file still says `nullable` in places, which JSON Schema does not know."""
    if isinstance(node, list):
        return [_allow_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _allow_nulls(value) for key, value in node.items()}
    return {"anyOf": [plain, {"type": "null"}]} if plain.pop("nullable", False) is True else plain


def response_event_validator() -> Validate:
    """Checks an event of a response's stream, by its name and data."""
    check_event = openapi_validator()

    def check(name: str, data: object) -> None:
        assert isinstance(data, dict), f"the event {name!r} is no object"
        assert data["type"] == name, f"the event {name!r} calls itself {data['type']!r}"
        check_event("ResponseStreamEvent", data)

    return check


def event_validator() -> Validate:
    """Checks a stream's event, by its name and data: a delta against the SDK's union, an object against the file."""
    check_object = openapi_validator(ABSENT_IN_RECORDED_STREAMS)
    union, names = _event_union()

    def check(name: str, data: object) -> None:
        assert name in names, f"there is no event {name!r}"
        if name.endswith(".delta"):
            union.validate({"event": name, "data": data})
        else:
            kind = next(kind for kind in STREAMED_OBJECTS if name.startswith(kind))
            check_object(STREAMED_OBJECTS[kind], data)

    return check


@cache
def _event_union() -> tuple[Any, frozenset[str]]:
    from openai.types.beta import AssistantStreamEvent
    from pydantic import TypeAdapter

    schema = TypeAdapter(AssistantStreamEvent).json_schema()
    events = [one["properties"].get("event", {}) for one in schema["$defs"].values() if "properties" in one]
    return jsonschema_rs.validator_for(schema), frozenset(one["const"] for one in events if "const" in one)
