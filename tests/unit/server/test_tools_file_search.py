"""The file search tool over a real index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from runner.server.engine.search import Index
from runner.server.inference import ToolOutcome, ToolRequest
from runner.server.tools import ToolContext, ToolSettings
from runner.server.tools.file_search import create


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = Index(tmp_path / "state.db")
    opened.put("s1", "f1", "receipt.pdf", ["Burger 23.75", "Soda 15.50", "Thank you"])
    opened.put("s1", "f2", "guide.md", [f"Castle number {number}" for number in range(60)])
    yield opened
    opened.close()


async def search(index: Index, queries: object, options: Mapping[str, object] | None = None) -> ToolOutcome:
    tool = create(ToolSettings())
    request = ToolRequest(tool="file_search", arguments={"queries": queries})
    return await tool.run(request, ToolContext(index=index, thread_id="t1", store_ids=("s1",), options=options or {}))


async def test_the_results_of_all_queries_are_merged_each_passage_once(index: Index) -> None:
    outcome = await search(index, ["burger", "soda", "burger please"])
    assert outcome.completed
    assert sorted(passage.text for passage in outcome.passages) == ["Burger 23.75", "Soda 15.50"]
    assert outcome.output == "2 passages from 1 files"


async def test_the_best_passages_come_first(index: Index) -> None:
    scores = [passage.score for passage in (await search(index, ["castle 7", "burger"])).passages]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("options", "count"), [({}, 20), ({"max_num_results": 3}, 3), ({"max_num_results": 999}, 50)])
async def test_the_number_of_results_is_the_tools_setting_or_20(
    index: Index, options: Mapping[str, object], count: int
) -> None:
    assert len((await search(index, ["castle"], options)).passages) == count


async def test_finding_nothing_is_a_completed_call(index: Index) -> None:
    outcome = await search(index, ["zebra"])
    assert (outcome.completed, outcome.passages, outcome.output) == (True, (), "nothing found")


@pytest.mark.parametrize("queries", [None, [], "burger", [7], [" "]])
async def test_a_call_without_queries_fails_with_the_reason(index: Index, queries: object) -> None:
    outcome = await search(index, queries)
    assert (outcome.completed, outcome.output) == (False, "file_search needs `queries`, a list of texts")


async def test_a_huge_query_is_answered(index: Index) -> None:
    assert (await search(index, ["burger " + "castle soda " * 100_000])).completed
