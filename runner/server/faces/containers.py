"""/containers"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.container_records import ContainerRecord
from runner.server.engine.containers import create_container, delete_container, look_at_container
from runner.server.engine.engine import Engine
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._containers import read_new_container, render_container
from runner.server.faces._paging import read_page
from runner.server.faces._replies import Json, deleted_reply, json_reply, page_reply


def routes(engine: Engine) -> list[Route]:
    def render(container: ContainerRecord) -> Json:
        return render_container(container, engine.now())

    async def create(request: Request) -> Response:
        return json_reply(render(create_container(engine, read_new_container(await read_body(request)))))

    async def browse(request: Request) -> Response:
        query = read_query(request, "limit", "order", "after", "name")
        name = query.text("name")
        matching = {} if name is None else {"name": name}
        return page_reply(engine.store.page(ContainerRecord, "", read_page(query), matching), render)

    async def retrieve(request: Request) -> Response:
        return json_reply(render(look_at_container(engine, request.path_params["container_id"])))

    async def delete(request: Request) -> Response:
        container_id = request.path_params["container_id"]
        delete_container(engine, container_id)
        return deleted_reply(container_id, "container")

    one = "/containers/{container_id}"
    return [
        Route("/containers", create, methods=["POST"]),
        Route("/containers", browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
    ]
