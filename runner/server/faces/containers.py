"""/containers: the container of each thread, and the files that code wrote into it."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.file_records import FileRecord
from runner.server.engine.records import KeptFile, RunRecord, StepRecord, ThreadRecord, ToolCall
from runner.server.engine.refusals import Missing
from runner.server.faces._replies import Json, json_reply, list_body, unix_seconds
from runner.server.faces._response_items import thread_of


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> tuple[KeptFile, FileRecord]:
        file_id = request.path_params["file_id"]
        for kept in _written(engine, _find_thread(engine, request)):
            file = engine.store.find(FileRecord, file_id)
            if kept.file_id == file_id and file is not None:
                return kept, file
        raise Missing(FileRecord.KIND, file_id)

    async def browse(request: Request) -> Response:
        kept = {one.file_id: one for one in _written(engine, _find_thread(engine, request))}
        files = [(one, engine.store.find(FileRecord, one.file_id)) for one in kept.values()]
        shown = [_render(request, one, file) for one, file in files if file is not None]
        return json_reply(list_body(shown, has_more=False))

    async def retrieve(request: Request) -> Response:
        return json_reply(_render(request, *find(request)))

    async def content(request: Request) -> Response:
        _, file = find(request)
        path = engine.blobs.path(file.sha256)
        return FileResponse(path, media_type="application/octet-stream", filename=file.filename)

    many = "/containers/{container_id}/files"
    return [
        Route(many, browse, methods=["GET"]),
        Route(f"{many}/{{file_id}}", retrieve, methods=["GET"]),
        Route(f"{many}/{{file_id}}/content", content, methods=["GET"]),
    ]


def _find_thread(engine: Engine, request: Request) -> ThreadRecord:
    container_id = request.path_params["container_id"]
    thread = engine.store.find(ThreadRecord, thread_of(container_id))
    if thread is None:
        raise Missing("container", container_id)
    return thread


def _written(engine: Engine, thread: ThreadRecord) -> Iterator[KeptFile]:
    for run in engine.store.children(RunRecord, thread.id):
        for step in engine.store.children(StepRecord, run.id):
            for call in step.calls:
                yield from call.files if isinstance(call, ToolCall) else ()


def _render(request: Request, kept: KeptFile, file: FileRecord) -> Json:
    return {
        "id": file.id,
        "object": "container.file",
        "container_id": request.path_params["container_id"],
        "created_at": unix_seconds(file.created_at),
        "bytes": file.size_bytes,
        "path": f"/mnt/data/{kept.name}",
        "source": "assistant",
    }
