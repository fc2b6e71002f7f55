"""/files"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.files import delete_file, keep_file
from runner.server.engine.state.file_records import FileRecord
from runner.server.wire.fields import read_page, read_query
from runner.server.wire.forms import read_upload
from runner.server.wire.replies import BadRequest, Json, json_reply, page_reply, reply_content, unix_seconds

MAX_LISTED = 10_000
_NOT_TO_BE_READ = ("assistants", "user_data")


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Response:
        read_query(request)
        upload = await read_upload(request, engine.blobs)
        file = keep_file(
            engine,
            upload.arrival,
            filename=upload.filename,
            purpose=upload.purpose,
            lifetime_s=upload.lifetime_s,
        )
        return json_reply(render_file(file))

    async def browse(request: Request) -> Response:
        query = read_query(request, "limit", "order", "after", "purpose")
        purpose = query.text("purpose")
        matching = {} if purpose is None else {"purpose": purpose}
        page = read_page(query, default=MAX_LISTED, most=MAX_LISTED)
        return page_reply(engine.store.page(FileRecord, "", page, matching), render_file)

    async def retrieve(request: Request) -> Response:
        return json_reply(render_file(need(engine, FileRecord, request.path_params["file_id"])))

    async def delete(request: Request) -> Response:
        file_id = request.path_params["file_id"]
        delete_file(engine, file_id)
        return json_reply({"object": "file", "deleted": True, "id": file_id})

    async def content(request: Request) -> Response:
        file = need(engine, FileRecord, request.path_params["file_id"])
        if file.purpose in _NOT_TO_BE_READ:
            raise BadRequest(f"Not allowed to download files of purpose: {file.purpose}")
        return reply_content(engine, file, file.filename)

    one = "/files/{file_id}"
    return [
        Route("/files", create, methods=["POST"]),
        Route("/files", browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{one}/content", content, methods=["GET"]),
    ]


def render_file(file: FileRecord) -> Json:
    return {
        "object": "file",
        "id": file.id,
        "purpose": file.purpose,
        "filename": file.filename,
        "bytes": file.size_bytes,
        "created_at": unix_seconds(file.created_at),
        "expires_at": unix_seconds(file.expires_at),
        "status": "processed",
        "status_details": None,
    }
