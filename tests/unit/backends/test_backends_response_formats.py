"""`response_format` and `max_output_tokens` in what both APIs are sent, held to OpenAI's file, and read back."""

from __future__ import annotations

from dataclasses import replace

import assistants_wire
import pytest
import responses_wire
from openai_schemas import openapi_validator

from runner.backends import Deployment, managed_fields
from runner.backends.assistants.wire import assistant_body, read_assistant, run_settings
from runner.backends.responses.bodies import Material, definition_body, settings_body
from runner.domain.assistant import PlainFormat, SchemaFormat

SCHEMA = {"type": "object", "properties": {"total": {"type": "number", "minimum": 1.0}}, "required": ["total"]}
BILL = SchemaFormat(name="bill", schema=SCHEMA)
STRICT = replace(BILL, schema={**SCHEMA, "additionalProperties": False}, strict=True, description="What it cost.")
NAMED = {"name": "bill", "schema": SCHEMA, "strict": False}
NAMED_STRICT = {"name": "bill", "description": "What it cost.", "schema": STRICT.schema, "strict": True}
FORMATS = [PlainFormat.TEXT, PlainFormat.JSON_OBJECT, BILL, STRICT]


def stored_body(response_format, *, resets=False):
    guide = replace(assistants_wire.GUIDE, response_format=response_format)
    return assistant_body(Deployment(assistant=guide, assistant_id=None), {}, resets=resets)


def sent_definition(**changes):
    asked = responses_wire.question()
    assistant = replace(asked.deployment.assistant, **changes)
    asked = replace(asked, deployment=replace(asked.deployment, assistant=assistant))
    nothing = Material(store_ids=(), code_file_ids=())
    return definition_body(assistant, nothing) | settings_body(asked, nothing, stores=True)


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        (PlainFormat.TEXT, {"type": "text"}),
        (PlainFormat.JSON_OBJECT, {"type": "json_object"}),
        (BILL, {"type": "json_schema", "json_schema": NAMED}),
        (STRICT, {"type": "json_schema", "json_schema": NAMED_STRICT}),
    ],
)
def test_a_stored_assistant_gets_the_format_nested(response_format, expected):
    body = stored_body(response_format)
    assert body["response_format"] == expected
    openapi_validator()("CreateAssistantRequest", body)


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        (PlainFormat.TEXT, {"type": "text"}),
        (PlainFormat.JSON_OBJECT, {"type": "json_object"}),
        (BILL, {"type": "json_schema", **NAMED}),
        (STRICT, {"type": "json_schema", **NAMED_STRICT}),
    ],
)
def test_a_response_is_asked_for_with_the_format_flat(response_format, expected):
    body = sent_definition(response_format=response_format)
    assert body["text"] == {"format": expected}
    openapi_validator()("CreateResponse", body)


def test_a_format_that_is_not_said_is_not_sent_and_an_update_resets_it():
    assert "response_format" not in stored_body(None)
    updated = stored_body(None, resets=True)
    assert updated["response_format"] is None
    openapi_validator()("ModifyAssistantRequest", updated)
    assert "text" not in sent_definition()


def test_the_limit_goes_with_each_run_or_response_and_is_nothing_of_a_stored_assistant():
    guide = replace(assistants_wire.GUIDE, max_output_tokens=300)
    run = {"assistant_id": "asst_1", **run_settings(guide)}
    assert run == {"assistant_id": "asst_1", "max_completion_tokens": 300}
    for name in ("CreateRunRequest", "CreateThreadAndRunRequest"):
        openapi_validator()(name, run)
    definition = sent_definition(max_output_tokens=300)
    assert definition["max_output_tokens"] == 300
    openapi_validator()("CreateResponse", definition)
    body = assistant_body(Deployment(assistant=guide, assistant_id=None), {}, resets=True)
    assert not [name for name in body if "tokens" in name]
    assert managed_fields(guide) == managed_fields(assistants_wire.GUIDE)


def test_a_limit_that_is_not_said_is_not_sent():
    assert run_settings(assistants_wire.GUIDE) == {}
    assert "max_output_tokens" not in sent_definition()


def read_format(said):
    return read_assistant(assistants_wire.assistant(response_format=said)).fields["response_format"]


@pytest.mark.parametrize("response_format", FORMATS, ids=["text", "json_object", "schema", "strict schema"])
def test_a_format_comes_back_equal_to_the_file(response_format):
    said = stored_body(response_format)["response_format"]
    wanted = managed_fields(replace(assistants_wire.GUIDE, response_format=response_format))["response_format"]
    assert read_format(said) == wanted


@pytest.mark.parametrize("filled", [{"strict": None}, {"strict": False}, {"description": None}, {"description": ""}])
def test_what_a_server_fills_in_makes_no_other_format(filled):
    bare = {"name": "bill", "schema": {**SCHEMA, "properties": {"total": {"type": "number", "minimum": 1}}}}
    assert read_format({"type": "json_schema", "json_schema": {**bare, **filled}}) == read_format(
        {"type": "json_schema", "json_schema": NAMED}
    )


@pytest.mark.parametrize("said", ["auto", None, {"type": "auto"}])
def test_the_default_is_no_format(said):
    assert read_format(said) is None
    assert managed_fields(assistants_wire.GUIDE)["response_format"] is None


def test_a_format_of_a_later_api_keeps_its_name():
    assert read_format({"type": "grammar", "grammar": {"syntax": "lark"}}) == "grammar"
