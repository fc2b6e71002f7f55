"""A definition's hash: equal for what means the same, another one for each thing that decides an answer."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.domain.assistant import (
    Address,
    Answering,
    Assistant,
    Function,
    McpServer,
    PlainFormat,
    SchemaFormat,
    Tool,
    ToolName,
    WebSearch,
    describe_definition,
    hash_definition,
)
from runner.domain.files import Chunking, FileUse, LocalFile
from runner.errors import Location

HERE = Location("assistants.yaml", 3, 5)
SERVER = McpServer(label="docs", url="https://docs.invalid/mcp", authorization="a-token")
GUIDE = Assistant(
    address=Address("guide"),
    location=HERE,
    name="Guide",
    model="gpt-6",
    instructions="Be brief.",
    tools=(Tool(name=ToolName.FILE_SEARCH), Tool(name=ToolName.MCP, mcp=SERVER)),
    functions=(
        Function(
            name="rate",
            parameters={"type": "object", "properties": {}},
            answering=Answering(kind="returns", settings={"value": 1}, location=HERE),
            location=HERE,
        ),
    ),
    metadata={"team": "a"},
)
FILE = LocalFile(path=Path("/a/guide.md"), name="guide.md", size_bytes=3, use=FileUse.FILE_SEARCH, location=HERE)


def test_where_it_is_written_and_how_functions_are_answered_is_no_part_of_it() -> None:
    answered = replace(GUIDE.functions[0], answering=Answering(kind="python", settings={}, location=HERE))
    elsewhere = replace(GUIDE, location=Location("other.yaml", 9, 9), functions=(answered,))
    moved = replace(FILE, path=Path("/b/guide.md"))
    assert hash_definition(GUIDE, [(FILE, "aa")]) == hash_definition(elsewhere, [(moved, "aa"), (FILE, "aa")])


def test_a_new_token_is_no_new_definition() -> None:
    renewed = replace(SERVER, authorization="another", headers={"X-Key": "b"})
    tools = (GUIDE.tools[0], Tool(name=ToolName.MCP, mcp=renewed))
    assert hash_definition(GUIDE, []) == hash_definition(replace(GUIDE, tools=tools), [])
    assert "token" not in str(describe_definition(GUIDE))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"model": "gpt-6-luna"},
        {"instructions": "Be brief"},
        {"tools": (Tool(name=ToolName.FILE_SEARCH, max_num_results=3), GUIDE.tools[1])},
        {"tools": GUIDE.tools[:1]},
        {"tools": (GUIDE.tools[0], Tool(name=ToolName.MCP, mcp=replace(SERVER, allowed_tools=("a",))))},
        {"tools": (*GUIDE.tools, Tool(name=ToolName.WEB_SEARCH, web_search=WebSearch(is_live=False)))},
        {"functions": (replace(GUIDE.functions[0], strict=True),)},
        {"functions": (replace(GUIDE.functions[0], parameters={"type": "object"}),)},
        {"functions": ()},
        {"temperature": Decimal("0")},
        {"top_p": Decimal("0.5")},
        {"reasoning_effort": "low"},
        {"response_format": PlainFormat.JSON_OBJECT},
        {"response_format": SchemaFormat(name="a", schema={"type": "object"})},
        {"max_output_tokens": 100},
        {"metadata": {"team": "b"}},
    ],
    ids=str,
)
def test_whatever_decides_an_answer_changes_it(change: dict[str, object]) -> None:
    assert hash_definition(replace(GUIDE, **change), []) != hash_definition(GUIDE, [])  # type: ignore[arg-type]


def test_so_do_files() -> None:
    told = {
        hash_definition(GUIDE, files)
        for files in (
            [],
            [(FILE, "aa")],
            [(FILE, "bb")],
            [(replace(FILE, name="other.md"), "aa")],
            [(replace(FILE, use=FileUse.CODE_INTERPRETER), "aa")],
            [(replace(FILE, chunking=Chunking(max_tokens=800, overlap_tokens=400)), "aa")],
        )
    }
    assert len(told) == 6
