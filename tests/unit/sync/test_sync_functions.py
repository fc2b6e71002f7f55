"""Functions are compared as a whole: equal meanings are no difference, anything else is, and it is told who moved."""

from __future__ import annotations

from dataclasses import replace

import assistants_wire as wire
import pytest

from runner.backends import FUNCTION_LABEL, managed_fields
from runner.domain.assistant import Assistant, Tool, ToolName
from runner.domain.plan import Origin
from runner.sync import tags
from runner.sync.comparing import compare, declared_hashes, echo_hashes, write_imprint
from runner.sync.printing import diff_lines
from runner.sync.pulling import _read_tools, _Unpullable

RATE = wire.function(
    description="Today's rate.",
    parameters={"type": "object", "properties": {"amount": {"type": "number", "minimum": 1}}, "required": ["amount"]},
)
GUIDE = replace(wire.GUIDE, tools=(Tool(name=ToolName.FILE_SEARCH),), functions=(RATE,))
LABEL = FUNCTION_LABEL + RATE.name


def stored(assistant: Assistant = GUIDE, **changes: object) -> dict[str, object]:
    """What a server has of an assistant: it fills in an option of file search, and `changes` of the function."""
    tools = dict(managed_fields(assistant)["tools"])
    tools["file_search"] = {"max_num_results": 20}
    return {**managed_fields(assistant), "tools": {**tools, LABEL: {**tools[LABEL], **changes}}}


def marks() -> dict[str, str]:
    """The tags of an assistant that was synced as GUIDE."""
    echo = echo_hashes(managed_fields(GUIDE), stored())
    return {tags.SPEC: write_imprint(declared_hashes(GUIDE)), tags.ECHO: write_imprint(echo)}


def origins(wanted: Assistant, live: dict[str, object]) -> list[Origin]:
    return [change.origin for change in compare(managed_fields(wanted), live, marks()).changes]


def test_what_means_the_same_is_no_difference():
    parameters = {"required": ["amount"], "properties": {"amount": {"minimum": 1, "type": "number"}}, "type": "object"}
    with_float = replace(
        RATE, parameters={**RATE.parameters, "properties": {"amount": {"type": "number", "minimum": 1.0}}}
    )
    assert origins(GUIDE, stored(parameters=parameters)) == []
    assert origins(replace(GUIDE, functions=(with_float,)), stored()) == []


@pytest.mark.parametrize(
    "fields", [{"description": ""}, {"strict": True}, {"parameters": {"type": "object", "properties": {}}}]
)
def test_a_change_in_the_file_is_ours_even_where_the_server_fills_in_options(fields):
    assert origins(replace(GUIDE, functions=(replace(RATE, **fields),)), stored()) == [Origin.LOCAL]


@pytest.mark.parametrize("fields", [{"description": "Other."}, {"strict": True}, {"parameters": {}}])
def test_a_change_there_is_drift_and_on_both_sides_a_conflict(fields):
    assert origins(GUIDE, stored(**fields)) == [Origin.DRIFT]
    assert origins(replace(GUIDE, functions=()), stored(**fields)) == [Origin.CONFLICT]


def test_a_function_that_is_added_or_taken_away_is_one_change_of_the_tools():
    more = replace(GUIDE, functions=(RATE, replace(RATE, name="other")))
    assert origins(more, stored()) == [Origin.LOCAL]
    assert origins(replace(GUIDE, functions=()), stored()) == [Origin.LOCAL]


def test_a_function_is_shown_with_its_schema():
    (change,) = compare(managed_fields(replace(GUIDE, functions=())), stored(), marks()).changes
    assert change.after == "file_search"
    assert change.before.splitlines() == [
        "file_search: {max_num_results: 20}",
        "function rate:",
        "  description: Today's rate.",
        "  parameters:",
        "    properties:",
        "      amount: {minimum: 1, type: number}",
        "    required: [amount]",
        "    type: object",
    ]


def test_a_change_in_one_of_several_functions_is_told_with_the_keys_above_it_and_no_line_that_is_the_same():
    other = replace(RATE, name="zone", description="The zone,\nas a number.", parameters={"type": "object"})
    wanted = replace(GUIDE, functions=(replace(other, parameters={"type": "object", "required": []}), RATE))
    live = managed_fields(replace(GUIDE, functions=(RATE, other)))
    live["tools"][LABEL]["parameters"] = dict(reversed(RATE.parameters.items()))
    (change,) = compare(managed_fields(wanted), live, {}).changes
    assert diff_lines(change, context=1, longest=99) == (
        "@@ -12,2 +12,2 @@ function zone:",
        "     as a number.",
        "-  parameters: {type: object}",
        "+  parameters: {required: [], type: object}",
    )


def test_few_words_of_tools_stand_in_a_line():
    (change,) = compare({"tools": {"file_search": {}}}, {"tools": {"code_interpreter": {}}}, {}).changes
    assert (change.before, change.after) == ("code_interpreter", "file_search")


def test_functions_as_declared_do_not_stop_a_pull_of_the_tools_and_others_do():
    tools = {"code_interpreter": {}, LABEL: managed_fields(GUIDE)["tools"][LABEL]}
    assert [tool.name for tool in _read_tools(GUIDE, tools)] == [ToolName.CODE_INTERPRETER]
    for other in ({}, {LABEL: {}}, {**tools, f"{FUNCTION_LABEL}other": {}}):
        with pytest.raises(_Unpullable, match="functions can't be taken over: function "):
            _read_tools(GUIDE, other)
