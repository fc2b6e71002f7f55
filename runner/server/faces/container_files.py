"""/containers/{container_id}/files"""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.container_contents import keep_uploaded
from runner.server.engine.container_records import ContainerFileRecord
from runner.server.engine.containers import copy_upload, delete_container_file, use_container
from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._containers import render_container_file
from runner.server.faces._downloads import ANY_TYPE, reply_content
from runner.server.faces._paging import read_page
from runner.server.faces._replies import deleted_reply, json_reply, page_reply
from runner.server.faces._uploads import Content, read_content_or


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> ContainerFileRecord:
        container = use_container(engine, request.path_params["container_id"])
        return need(engine, ContainerFileRecord, request.path_params["file_id"], container.id)

    async def create(request: Request) -> Response:
        container_id = request.path_params["container_id"]
        if request.headers.get("content-type", "").startswith("multipart/"):
            given: Content | str = await read_content_or(request, engine.blobs, "file_id")
        else:
            body = await read_body(request)
            body.only("file_id")
            given = body.needed_text("file_id")
        if isinstance(given, str):
            file = copy_upload(engine, container_id, given)
        else:
            file = keep_uploaded(engine, container_id, given.arrival, given.filename)
        return json_reply(render_container_file(file))

    async def browse(request: Request) -> Response:
        page = read_page(read_query(request, "limit", "order", "after"))
        container = use_container(engine, request.path_params["container_id"])
        return page_reply(engine.store.page(ContainerFileRecord, container.id, page), render_container_file)

    async def retrieve(request: Request) -> Response:
        return json_reply(render_container_file(find(request)))

    async def content(request: Request) -> Response:
        file = find(request)
        filename = PurePosixPath(file.name).name
        media_type, packing = guess_type(filename)
        return reply_content(engine, file, filename, media_type if media_type and not packing else ANY_TYPE)

    async def delete(request: Request) -> Response:
        file = find(request)
        delete_container_file(engine, file.id)
        return deleted_reply(file.id, "container.file")

    many = "/containers/{container_id}/files"
    one = f"{many}/{{file_id}}"
    return [
        Route(many, create, methods=["POST"]),
        Route(many, browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{one}/content", content, methods=["GET"]),
    ]
