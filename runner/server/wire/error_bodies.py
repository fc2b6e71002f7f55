"""Error bodies as OpenAI's servers send them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from runner.server.engine.state.refusals import Missing, Refusal
from runner.server.wire.replies import json_reply

_NOT_FOUND: Mapping[str, str] = {
    "assistant": "No assistant found with id '{id}'.",
    "thread": "No thread found with id '{id}'.",
    "message": "No message found with id '{id}'.",
    "run": "No run found with id '{id}'.",
    "step": "No run step found with id '{id}'.",
    "file": "No such File object: {id}",
    "vector_store": "Vector store with id '{id}' not found.",
    "stored_file": "No file found with id '{id}' in vector store '{parent}'.",
    "batch": "No file batch found with id '{id}' in vector store '{parent}'.",
    "response": "Response with id '{id}' not found.",
    "conversation": "Conversation with id '{id}' not found.",
    "item": "Item with id '{id}' not found.",
    "container": "Container with id '{id}' not found.",
    "container_file": "Container file with id '{id}' not found.",
    "model": "The model '{id}' does not exist",
}


class BadRequest(Exception):
    """The request is wrong. `status` is 4xx; `param` names the parameter, `code` is OpenAI's word."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        self.message = message
        self.param = param
        self.code = code
        self.status = status
        super().__init__(message)


def error_reply(
    status: int, message: str, *, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> Response:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json_reply({"error": error}, status=status)


def _error_reply_to(request: Request, status: int, message: str, *, param: str | None, code: str | None) -> Response:
    """As `error_reply`; the Files API says it twice."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    is_about_files = request.url.path.startswith("/v1/files")
    detail = {"detail": {"message": message, "code": code}} if is_about_files else {}
    return json_reply({"error": error, **detail}, status=status)


async def answer_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return _error_reply_to(request, error.status, error.message, param=error.param, code=error.code)


async def answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    if isinstance(error, Missing):
        message = _NOT_FOUND[error.kind].format(id=error.object_id, parent=error.parent_id)
        param = "id" if error.kind == "file" else None
        return _error_reply_to(request, 404, message, param=param, code=None)
    return _error_reply_to(request, 400, str(error), param=error.param, code=error.code)
