from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import runner.config
from runner.config import assistants_schema, scenario_schema
from runner.config.file_schemas import schema_text
from runner.plugins import plugin_names

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
    expectation = scenario_schema()["$defs"]["expectation"]
    assert set(expectation["properties"]) == set(plugin_names("runner.checks"))
    assert all(len(value["anyOf"]) == 2 for value in expectation["properties"].values())


@pytest.mark.parametrize("file", sorted(OK.rglob("*.yaml")), ids=lambda path: path.stem)
def test_an_editor_that_types_yaml_by_itself_accepts_ordinary_files_too(file):
    """`no`, `1.10` and their kin apart, which only our own reading keeps as texts."""
    kind = "assistants" if file.name == "assistants.yaml" else "scenario"
    value = yaml.safe_load(file.read_text(encoding="utf-8"))
    errors = Draft202012Validator(json.loads(schema_text(kind))).iter_errors(value)
    assert {error.validator for error in errors} <= {"type", "anyOf"}
