"""/vector_stores/{store_id}/search"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.searching import SearchOrder, search_store
from runner.server.faces._bodies import Fields, read_body
from runner.server.faces._filters import read_filters
from runner.server.faces._replies import Json, json_reply
from runner.server.inference import Passage

DEFAULT_RESULTS = 10
MAX_RESULTS = 50
MAX_QUERIES = 32
MAX_QUERY = 4096
_RANKERS = ("none", "auto", "default-2024-11-15")  # there is one way to rank here; all three mean it


def routes(engine: Engine) -> list[Route]:
    async def search(request: Request) -> Response:
        order = _read_order(await read_body(request))
        passages = await search_store(engine, request.path_params["store_id"], order)
        return json_reply(
            {
                "object": "vector_store.search_results.page",
                "search_query": list(order.queries),
                "data": [_render(passage) for passage in passages],
                "has_more": False,
                "next_page": None,
            }
        )

    return [Route("/vector_stores/{store_id}/search", search, methods=["POST"])]


def _read_order(body: Fields) -> SearchOrder:
    body.only("query", "filters", "max_num_results", "ranking_options", "rewrite_query")
    body.refuse("rewrite_query", harmless=(None, False))
    ranking = body.mapping("ranking_options") or Fields({})
    ranking.only("ranker", "score_threshold")
    ranking.choice("ranker", _RANKERS)
    return SearchOrder(
        queries=_read_queries(body),
        limit=body.integer("max_num_results", least=1, most=MAX_RESULTS) or DEFAULT_RESULTS,
        threshold=ranking.number("score_threshold", least=0.0, most=1.0) or 0.0,
        attributes=read_filters(body),
    )


def _read_queries(body: Fields) -> tuple[str, ...]:
    body.need("query")
    if isinstance(body.values["query"], list):
        queries = body.texts("query", most=MAX_QUERIES) or ()
    else:
        queries = (body.needed_text("query", longest=MAX_QUERY),)
    if not queries or not all(query.strip() for query in queries):
        raise body.invalid("query", "expected at least one query, and none that is empty.", "invalid_value")
    return queries


def _render(passage: Passage) -> Json:
    return {
        "file_id": passage.file_id,
        "filename": passage.filename,
        "score": passage.score,
        "attributes": dict(passage.attributes),
        "content": [{"type": "text", "text": passage.text}],
    }
