from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import runner.config
from runner.config import assistants_schema, scenario_schema
from runner.config.expectations import checks_in
from runner.config.file_schemas import schema_text
from runner.plugins import plugin_names
from runner.yaml_text import parse_yaml


def keys_of(schema: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key that the files can have, with its schema."""
    if isinstance(schema, dict):
        for key, below in schema.get("properties", {}).items():
            yield f"{path}.{key}", below
        for key, below in schema.items():
            if key != "examples":
                yield from keys_of(below, f"{path}.{key}")
    elif isinstance(schema, list):
        for index, below in enumerate(schema):
            yield from keys_of(below, f"{path}[{index}]")


SHIPPED = Path(runner.config.__file__).parent / "schemas"
OK = Path(__file__).parents[2] / "configs" / "ok"


@pytest.mark.parametrize("kind", ["assistants", "scenario"])
def test_a_shipped_schema_is_what_the_plug_ins_make_of_it(kind):
    shipped = (SHIPPED / f"{kind}.json").read_text(encoding="utf-8")
    assert shipped == schema_text(kind), "run: make docs"


@pytest.mark.parametrize("schema", [assistants_schema(), scenario_schema()], ids=["assistants", "scenario"])
def test_a_schema_is_valid_and_claims_no_address_on_the_web(schema):
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].startswith("urn:")


def test_every_check_can_be_written_in_both_forms():
    names, expectation = scenario_schema()["$defs"]["expectation"]["anyOf"]
    assert set(names["enum"]) < set(expectation["properties"])
    assert set(expectation["properties"]) == set(plugin_names("runner.checks"))
    assert all("else" in value or len(value["anyOf"]) in (2, 3) for value in expectation["properties"].values())


def test_a_file_is_held_to_the_checks_that_stand_in_it_and_of_the_others_to_their_names():
    tree = parse_yaml("turns: [{ask: x, expect: [refuses, {not: {number: 1}}]}]", file="x.yaml").root
    assert tree is not None
    found = checks_in(tree)

    names, expectation = scenario_schema(found)["$defs"]["expectation"]["anyOf"]

    assert found == {"refuses", "not", "number"}
    assert names["enum"] == ["refuses"]
    assert {name for name, value in expectation["properties"].items() if value} == found
    assert set(expectation["properties"]) == set(plugin_names("runner.checks"))


@pytest.mark.parametrize("file", sorted(OK.rglob("*.yaml")), ids=lambda path: path.stem)
def test_an_editor_that_types_yaml_by_itself_accepts_ordinary_files_too(file):
    """`no`, `1.10` and their kin apart, which only our own reading keeps as texts."""
    kind = "assistants" if file.name == "assistants.yaml" else "scenario"
    value = yaml.safe_load(file.read_text(encoding="utf-8"))
    errors = Draft202012Validator(json.loads(schema_text(kind))).iter_errors(value)
    assert {error.validator for error in errors} <= {"type", "anyOf"}


@pytest.mark.parametrize("whole", [assistants_schema(), scenario_schema()], ids=["assistants", "scenario"])
def test_every_key_is_described_and_its_examples_are_of_its_kind(whole: dict[str, Any]) -> None:
    for path, schema in keys_of(whole):
        assert schema.get("description") or "$ref" in schema, path
        for example in (*schema.get("examples", ()), *([schema["default"]] if "default" in schema else [])):
            errors = list(Draft202012Validator({**schema, "$defs": whole["$defs"]}).iter_errors(example))
            assert errors == [], f"{path}: {example!r}"
