"""File search: the passages of the attached documents that have the words of the queries, or mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from runner.server.inference import Passage, ToolOutcome, ToolRequest
from runner.server.tools import HostedTool, ToolContext, ToolSettings

DEFAULT_RESULTS = 20  # OpenAI's, for its models since gpt-4
MAX_RESULTS = 50
MAX_QUERIES = 32
MAX_QUERY_CHARACTERS = 4_096


def create(_: ToolSettings) -> HostedTool:
    return FileSearch()


class FileSearch:
    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome:
        queries = _read_queries(request.arguments)
        if not queries:
            return ToolOutcome(request=request, completed=False, output="file_search needs `queries`, a list of texts")
        limit = context.options.get("max_num_results")
        limit = min(max(1, limit), MAX_RESULTS) if isinstance(limit, int) else DEFAULT_RESULTS
        best: dict[tuple[str, str], Passage] = {}
        vectors = None if context.embed is None else await context.embed(queries)
        for query, meaning in zip(queries, vectors or (None,) * len(queries), strict=True):
            search = partial(context.index.search, context.store_ids, query, limit, meaning=meaning)
            for passage in await asyncio.to_thread(search):
                known = best.get((passage.file_id, passage.text))
                if known is None or known.score < passage.score:
                    best[passage.file_id, passage.text] = passage
        # Sorting is stable: among equals the first query's passages stay first.
        passages = tuple(sorted(best.values(), key=lambda passage: -passage.score)[:limit])
        files = len({passage.file_id for passage in passages})
        output = f"{len(passages)} passages from {files} files" if passages else "nothing found"
        return ToolOutcome(request=request, completed=True, output=output, passages=passages)

    async def forget_gone(self, is_in_use: Callable[[str], bool]) -> None:
        pass

    async def close(self) -> None:
        pass


def _read_queries(arguments: Mapping[str, object]) -> tuple[str, ...]:
    queries = arguments.get("queries")
    if not isinstance(queries, list | tuple):
        return ()
    texts = [query[:MAX_QUERY_CHARACTERS] for query in queries if isinstance(query, str) and query.strip()]
    return tuple(dict.fromkeys(texts))[:MAX_QUERIES]
