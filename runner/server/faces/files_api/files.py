"""/files"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.files import delete_file, keep_file
from runner.server.engine.state.file_records import FileRecord
from runner.server.wire import resource_routes, route
from runner.server.wire.fields import FORWARD_PARAMETERS, read_page, read_query
from runner.server.wire.forms import read_upload
from runner.server.wire.replies import BadRequest, Json, json_reply, page_reply, reply_content, unix_seconds

MAX_LISTED = 10_000
_NOT_TO_BE_READ = ("assistants", "user_data")


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> FileRecord:
        return need(engine, FileRecord, request.path_params["file_id"])

    async def create(request: Request) -> Response:
        read_query(request)
        upload = await read_upload(request, engine.blobs)
        file = keep_file(
            engine, upload.arrival, filename=upload.filename, purpose=upload.purpose, lifetime_s=upload.lifetime_s
        )
        return json_reply(render_file(file))

    def browse(request: Request) -> Response:
        query = read_query(request, *FORWARD_PARAMETERS, "purpose")
        purpose = query.text("purpose")
        matching = {} if purpose is None else {"purpose": purpose}
        page = read_page(query, default=MAX_LISTED, most=MAX_LISTED)
        return page_reply(engine.store.page(FileRecord, "", page, matching), render_file)

    def delete(request: Request) -> Response:
        file_id = request.path_params["file_id"]
        delete_file(engine, file_id)
        return json_reply({"object": "file", "deleted": True, "id": file_id})

    def content(request: Request) -> Response:
        file = find(request)
        if file.purpose in _NOT_TO_BE_READ:
            raise BadRequest(f"Not allowed to download files of purpose: {file.purpose}")
        return reply_content(engine, file, file.filename)

    def retrieve(request: Request) -> Response:
        return json_reply(render_file(find(request)))

    return [
        *resource_routes("/files", "file_id", create=create, browse=browse, retrieve=retrieve, delete=delete),
        route("GET", "/files/{file_id}/content", content),
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
