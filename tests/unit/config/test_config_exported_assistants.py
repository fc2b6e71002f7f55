"""What an export says and no file can hold."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.exported_assistants import read_export
from runner.config.importing import import_assistants, write_project
from runner.errors import UsageError
from runner.yaml_text import parse_yaml

WORDS = (
    "object id name model instructions tools tool_resources response_format reasoning reasoning_effort text format "
    "metadata temperature versions latest definition kind version draft status state type function file_search "
    "max_num_results vector_store_ids container file_ids web_search mode location filters allowed_domains mcp "
    "server_label server_url transport headers authorization allowed_tools tool_names require_approval always "
    "json_schema schema strict parameters description error code data has_more"
).split()
VALUES = (
    "assistant agent agent.version prompt hosted function file_search code_interpreter web_search mcp http live always "
    "json_schema text object https://a.example/mcp guide 3"
).split()
PIECES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 60), st.floats(0, 2), st.sampled_from(VALUES), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)),
    max_leaves=25,
)
TOOL = st.dictionaries(st.sampled_from(WORDS), PIECES, max_size=6).flatmap(
    lambda rest: st.sampled_from(VALUES).map(lambda kind: {**rest, "type": kind})
)
ASSISTANT = st.dictionaries(st.sampled_from(WORDS), PIECES, max_size=8).flatmap(
    lambda rest: st.lists(TOOL, max_size=4).map(lambda tools: {**rest, "model": "m", "tools": tools})
)
SHAPES = st.one_of(
    PIECES,
    ASSISTANT,
    ASSISTANT.map(lambda one: {**one, "object": "agent"}),
    ASSISTANT.map(lambda one: {"name": "a", "version": "2", "definition": {**one, "kind": "prompt"}}),
    st.lists(ASSISTANT.map(lambda one: {"name": "a", "versions": {"latest": {**one, "kind": "prompt"}}}), max_size=3),
)


@given(SHAPES)
def test_whatever_an_export_says_it_becomes_yaml_or_is_refused_in_one_line(value: object) -> None:
    with suppress(UsageError):
        exports = read_export(json.dumps(value).encode(), file="export.json")
        imported = import_assistants(exports, address=None, taken=(), clean=str)
        parse_yaml(write_project("check", imported), file="assistants.yaml")


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1e-99999999999999999999", "1e301"])
def test_a_number_without_end_is_wrong_usage(number: str) -> None:
    with pytest.raises(UsageError, match="a number in it is none, or too long"):
        read_export(f'{{"model": "m", "temperature": {number}}}'.encode(), file="export.json")
