"""What every check plug-in must keep to; a new file under runner/checks is found and tested by itself."""

from __future__ import annotations

import dataclasses
import inspect
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import runner.checks
from runner.domain.conversation import Citation, Ending, FileId, Run, RunId, RunStatus, Step, ThreadId
from runner.domain.report import Finding
from runner.domain.scenario import Expectation
from runner.errors import Location
from runner.plugins import load_plugin, plugin_names

PARTS = [{"contains": "text"}]
NAMES = plugin_names(runner.checks.__name__)
NEGATIVE = {"not_contains", "tool_not_called"}
COMBINING = {name for name in NAMES if hasattr(load_plugin(runner.checks.__name__, name).Check, "combine")}
"""Those made of others: see test_combining.py."""


def run(text: str = "", **fields: Any) -> Run:
    return Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text=text, **fields)


RUNS = (
    run("The total is 39.25【."),
    run("x" * 100_000),
    run("\x1b[31mred\x1b[0m \ud800 \u202e ١ ½ \x00"),
    run(
        "Cited.",
        steps=(Step(tool="file_search", completed=True), Step(tool="", completed=False)),
        citations=(Citation(position=0, file_id=FileId("f"), filename="a.pdf"),),
    ),
)


@pytest.fixture(params=NAMES)
def plugin(request: pytest.FixtureRequest) -> ModuleType:
    return load_plugin(runner.checks.__name__, request.param)


@pytest.fixture(params=sorted(set(NAMES) - COMBINING))
def judging(request: pytest.FixtureRequest) -> ModuleType:
    return load_plugin(runner.checks.__name__, request.param)


def build(plugin: ModuleType) -> Any:
    """Its check, made from parameters that its schema allows."""
    parameters = {name: _with_parts(value) for name, value in parameters_of(plugin.SCHEMA).items()}
    place = Location("scenarios/x.yaml", 1, 1)
    name = plugin.__name__.rpartition(".")[2].removesuffix("_")
    return runner.checks.build_part(Expectation(check=name, parameters=parameters, location=place)).check


def _with_parts(value: Any) -> Any:
    if value == PARTS:
        place = Location("scenarios/x.yaml", 1, 1)
        return (Expectation(check="contains", parameters={"value": "text"}, location=place),)
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {key: _with_parts(PARTS if key == "expect" else one) for key, one in value.items()}
    return [_with_parts(one) for one in value] if isinstance(value, list) else value


def parameters_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Parameters made from the schema alone: each required property with the simplest value that it allows."""
    if "examples" in schema:  # of the whole: the required properties alone are not enough
        return {name: PARTS if name == "expect" else value for name, value in schema["examples"][0].items()}
    return {name: _example(schema["properties"][name]) for name in schema["required"]}


def _example(schema: dict[str, Any]) -> Any:
    if schema.get("format") == runner.checks.EXPECTATIONS:
        return PARTS
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kinds[0] == "array":
        return [f"{_example(schema['items'])}{number}" for number in range(schema.get("minItems", 1))]
    examples = {"string": "text", "number": Decimal("39.25"), "integer": schema.get("minimum", 1), "boolean": True}
    return examples[kinds[0]]


def test_the_checks_of_the_first_storey_are_there() -> None:
    wanted = "cites contains equals matches not_contains number one_of tool_called tool_not_called"
    assert set(wanted.split()) <= set(NAMES)


def test_its_module_says_in_one_sentence_what_it_is(plugin: ModuleType) -> None:
    assert (plugin.__doc__ or "").strip().endswith(".")


def test_its_schema_is_a_closed_object_with_a_description_of_everything(plugin: ModuleType) -> None:
    Draft202012Validator.check_schema(plugin.SCHEMA)

    assert plugin.SCHEMA["type"] == "object"
    assert plugin.SCHEMA["additionalProperties"] is False
    assert plugin.SCHEMA["description"].endswith(".")
    for name, schema in plugin.SCHEMA["properties"].items():
        assert schema.get("description", "").endswith("."), name
        assert "type" in schema, name


def test_its_main_field_is_required(plugin: ModuleType) -> None:
    assert plugin.MAIN_FIELD in plugin.SCHEMA["properties"]
    assert plugin.MAIN_FIELD in plugin.SCHEMA["required"]


def test_its_fields_are_the_properties_of_its_schema(plugin: ModuleType) -> None:
    fields = {field.name: field for field in dataclasses.fields(plugin.Check)}

    assert set(fields) == set(plugin.SCHEMA["properties"])
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    assert required == set(plugin.SCHEMA["required"])
    for name, schema in plugin.SCHEMA["properties"].items():
        if "default" in schema:
            assert fields[name].default == schema["default"], name


def test_it_is_frozen(plugin: ModuleType) -> None:
    check = build(plugin)

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(check, plugin.MAIN_FIELD, "other")


def test_its_endings_are_endings(plugin: ModuleType) -> None:
    endings = getattr(plugin.Check, "endings", runner.checks.ORDINARY_ENDINGS)

    assert endings
    assert all(isinstance(ending, Ending) for ending in endings)


def test_the_parameters_that_its_schema_allows_make_a_check(plugin: ModuleType) -> None:
    parameters = parameters_of(plugin.SCHEMA)

    Draft202012Validator(plugin.SCHEMA).validate(parameters)
    build(plugin)


@pytest.mark.parametrize("answer", RUNS, ids=["plain", "long", "hostile", "cited"])
@pytest.mark.slow
def test_it_judges_any_answer_with_a_short_finding(judging: ModuleType, answer: Run) -> None:
    finding = build(judging).judge(answer)

    assert isinstance(finding, Finding)
    assert finding.expected
    assert finding.found or finding.holds
    assert bool(finding.reason) is not finding.holds
    assert all(len(text) <= 500 for text in (finding.expected, finding.found, finding.reason))


def test_it_judges_the_same_answer_in_the_same_way(judging: ModuleType) -> None:
    check = build(judging)

    assert check.judge(RUNS[0]) == check.judge(RUNS[0])
    assert not inspect.iscoroutinefunction(check.judge)


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEGATIVE - COMBINING))
@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_a_check_for_something_never_holds_on_nothing(name: str, text: str) -> None:
    plugin = load_plugin(runner.checks.__name__, name)

    assert not build(plugin).judge(run(text)).holds
