"""/containers, and /containers/{container_id}/files."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.containers.containers import (
    NewContainer,
    copy_upload,
    create_container,
    delete_container,
    delete_container_file,
    keep_uploaded,
    look_at_container,
    use_container,
)
from runner.server.engine.core.engine import Engine, need
from runner.server.engine.state.file_records import ContainerFileRecord, ContainerRecord
from runner.server.sandboxes import FILES_FOLDER
from runner.server.wire.fields import LIMITS, Fields, read_body, read_limits, read_page, read_query
from runner.server.wire.forms import Content, read_content_or
from runner.server.wire.replies import (
    ANY_TYPE,
    Json,
    deleted_reply,
    json_reply,
    page_reply,
    reply_content,
    unix_seconds,
)

MAX_FILES = 50
MAX_NAME = 256
MAX_MINUTES = 1_440


def routes(engine: Engine) -> list[Route]:
    return _container_routes(engine) + _file_routes(engine)


def read_new_container(body: Fields) -> NewContainer:
    body.only("name", "file_ids", "expires_after", "skills", *LIMITS)
    body.refuse("skills", harmless=(None, []))
    return NewContainer(
        name=body.needed_text("name", longest=MAX_NAME),
        file_ids=body.texts("file_ids", most=MAX_FILES) or (),
        idle_s=_read_idle_s(body),
        settings=read_limits(body),
    )


def _read_idle_s(body: Fields) -> float | None:
    policy = body.mapping("expires_after")
    if policy is None:
        return None
    policy.only("anchor", "minutes")
    policy.need("anchor")
    policy.choice("anchor", ("last_active_at",))
    policy.need("minutes")
    return (policy.integer("minutes", least=1, most=MAX_MINUTES) or 1) * 60.0


def render_container(container: ContainerRecord, now: float) -> Json:
    return {
        "id": container.id,
        "object": "container",
        "created_at": unix_seconds(container.created_at),
        "status": "expired" if container.has_expired(now) else "running",
        "expires_after": {"anchor": "last_active_at", "minutes": max(1, round(container.idle_s / 60))},
        "last_active_at": unix_seconds(container.last_active_at),
        "name": container.name,
        **container.settings,
    }


def render_container_file(file: ContainerFileRecord) -> Json:
    return {
        "id": file.id,
        "object": "container.file",
        "created_at": unix_seconds(file.created_at),
        "bytes": file.size_bytes,
        "container_id": file.container_id,
        "path": f"{FILES_FOLDER}/{file.name}",
        "source": "assistant" if file.is_written else "user",
    }


def _container_routes(engine: Engine) -> list[Route]:
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


def _file_routes(engine: Engine) -> list[Route]:
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
