"""/containers, and /containers/{container_id}/files."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.containers import (
    copy_upload,
    create_container,
    delete_container,
    delete_container_file,
    keep_uploaded,
    look_at_container,
    use_container,
)
from runner.server.engine.core import Engine
from runner.server.engine.state.file_storage import ContainerFileRecord, ContainerRecord
from runner.server.sandboxes import FILES_FOLDER
from runner.server.wire.fields import FORWARD_PARAMETERS, LIMITS, Json, read_body, read_lifetime, read_limits
from runner.server.wire.forms import Content, read_content_or
from runner.server.wire.replies import (
    browsing,
    deleted_body,
    deleting,
    finding,
    render_head,
    reply_content_of,
    resource_routes,
    unix_seconds,
)

PATHS = ("containers",)
MAX_FILES = 50
MAX_NAME = 256
MAX_MINUTES = 1_440


def routes(engine: Engine) -> list[Route]:
    return _container_routes(engine) + _file_routes(engine)


def render_container(container: ContainerRecord, now: float) -> Json:
    return {
        **render_head(container, "container"),
        "status": "expired" if container.has_expired(now) else "running",
        "expires_after": {"anchor": "last_active_at", "minutes": max(1, round(container.idle_s / 60))},
        "last_active_at": unix_seconds(container.last_active_at),
        "name": container.name,
        **container.settings,
    }


def render_container_file(file: ContainerFileRecord) -> Json:
    return {
        **render_head(file, "container.file"),
        "bytes": file.size_bytes,
        "container_id": file.container_id,
        "path": f"{FILES_FOLDER}/{file.name}",
        "source": "assistant" if file.is_written else "user",
    }


def _container_routes(engine: Engine) -> list[Route]:
    def render(container: ContainerRecord) -> Json:
        return render_container(container, engine.now())

    async def create(request: Request) -> Json:
        body = await read_body(request)
        body.only("name", "file_ids", "expires_after", "skills", *LIMITS)
        body.refuse("skills", harmless=(None, []))
        minutes = read_lifetime(body, "minutes", most=MAX_MINUTES)
        container = create_container(
            engine,
            body.needed_text("name", longest=MAX_NAME),
            file_ids=body.texts("file_ids", most=MAX_FILES) or (),
            idle_s=None if minutes is None else minutes * 60.0,
            settings=read_limits(body),
        )
        return render(container)

    return resource_routes(
        "/containers",
        "container_id",
        create=create,
        browse=browsing(engine, ContainerRecord, render, parameters=FORWARD_PARAMETERS, filtered_by="name"),
        retrieve=lambda request: render(look_at_container(engine, request.path_params["container_id"])),
        delete=deleting("container_id", partial(delete_container, engine), "container"),
    )


def _file_routes(engine: Engine) -> list[Route]:
    def find_container(request: Request) -> ContainerRecord:
        return use_container(engine, request.path_params["container_id"])

    find = finding(engine, ContainerFileRecord, "file_id", find_container)

    async def create(request: Request) -> Json:
        place = request.path_params["container_id"]
        if request.headers.get("content-type", "").startswith("multipart/"):
            given: Content | str = await read_content_or(request, engine.blobs, "file_id")
        else:
            body = await read_body(request)
            body.only("file_id")
            given = body.needed_text("file_id")
        if isinstance(given, str):
            file = copy_upload(engine, place, given)
        else:
            file = keep_uploaded(engine, place, given.arrival, given.filename)
        return render_container_file(file)

    def content(request: Request) -> Response:
        file = find(request)
        return reply_content_of(engine, file, file.name)

    def delete(request: Request) -> Json:
        file = find(request)
        delete_container_file(engine, file.id)
        return deleted_body(file.id, "container.file")

    browse = browsing(
        engine, ContainerFileRecord, render_container_file, parent=find_container, parameters=FORWARD_PARAMETERS
    )
    return resource_routes(
        "/containers/{container_id}/files",
        "file_id",
        create=create,
        browse=browse,
        retrieve=lambda request: render_container_file(find(request)),
        delete=delete,
        get_content=content,
    )
