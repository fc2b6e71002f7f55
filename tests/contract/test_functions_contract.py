"""What every way to answer a function must keep to; a new file under runner/functions is found and tested by itself."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator

import runner.functions
from runner.plugins import load_plugin, plugin_names

ROOT = Path(__file__).parents[2]
NAMES = plugin_names(runner.functions.__name__)


@pytest.fixture(params=NAMES)
def plugin(request: pytest.FixtureRequest) -> ModuleType:
    return load_plugin(runner.functions.__name__, request.param)


def test_the_ways_to_answer_are_there() -> None:
    assert {"returns", "python", "http"} <= set(NAMES)


def test_its_module_says_in_one_sentence_what_it_is(plugin: ModuleType) -> None:
    assert (plugin.__doc__ or "").strip().endswith(".")


def test_its_schema_is_a_closed_object_with_a_description_of_everything(plugin: ModuleType) -> None:
    Draft202012Validator.check_schema(plugin.SCHEMA)

    assert plugin.SCHEMA["type"] == "object"
    assert plugin.SCHEMA["additionalProperties"] is False
    assert plugin.SCHEMA["description"].endswith(".")
    assert plugin.MAIN_FIELD in plugin.SCHEMA["properties"]
    for name, schema in plugin.SCHEMA["properties"].items():
        assert schema.get("description", "").endswith("."), name
        assert "type" in schema, name


def test_what_answers_is_built_from_the_settings_and_can_t_be_changed(plugin: ModuleType) -> None:
    fields = {field.name: field for field in dataclasses.fields(plugin.Answerer)}

    assert plugin.Answerer.__dataclass_params__.frozen
    assert inspect.iscoroutinefunction(plugin.Answerer.answer)
    if not hasattr(plugin, "locate"):
        assert set(fields) == set(plugin.SCHEMA["properties"])
    for name, schema in plugin.SCHEMA["properties"].items():
        if "default" in schema:
            assert fields[name].default == schema["default"], name


@pytest.mark.parametrize("name", NAMES)
def test_heavy_libraries_wait_until_there_is_a_call(name: str) -> None:
    code = (
        f"import sys, runner.functions.{name}; sys.exit(bool({{'asyncio', 'httpx2', 'jsonschema'}} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
