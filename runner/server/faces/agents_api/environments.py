"""/agents/environments: a session's hosted environment with its files; and /artifacts, what turns left in it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import Engine, need
from runner.server.engine.documents import delete_file
from runner.server.engine.sessions import (
    OUTPUTS,
    WORKSPACE,
    Artifact,
    NewEnvironment,
    NewFile,
    find_artifacts,
    is_inline,
    put_file,
    session_of,
)
from runner.server.engine.state.file_storage import ContainerFileRecord, ContainerRecord
from runner.server.engine.state.records import SessionRecord
from runner.server.engine.state.store import Missing
from runner.server.wire.fields import FORWARD_PARAMETERS, Fields, Json, read_body, read_page, read_query
from runner.server.wire.replies import cut_page, deleted_body, reply_content_of, resource_routes, unix_seconds

MAX_FILES = 50
MAX_INLINE_BYTES = 5 << 20
MAX_PATH = 1_024
_SIZES = ("small", "medium", "large")
_UNSUPPORTED = (
    "capability_directories", "desktop", "env", "environment_id", "environment_template_id", "packages", "plugins",
    "setup_commands", "skills",
)  # fmt: skip
_NOTHING: tuple[object, ...] = (None, [], {})
_RESERVED = (".codex", ".managed-agents")


def routes(engine: Engine, find: Callable[[Request], SessionRecord]) -> list[Route]:
    """`find` finds the session that a request's path names."""
    return [*_environment_routes(engine), *_artifact_routes(engine, find)]


def read_environment(environment: Fields) -> NewEnvironment | None:
    """None for none."""
    kind = environment.needed_choice("type", ("none", "openai_hosted", "self_hosted"))
    environment.refuse("type", harmless=("none", "openai_hosted"))
    if kind == "none":
        environment.only("type")
        return None
    environment.only("type", "files", "container_size", "network", *_UNSUPPORTED)
    environment.refuse(*_UNSUPPORTED, harmless=_NOTHING)
    network = environment.part("network", "access", "allowed_domains", "blocked_domains")
    # Code has no network here.
    network.refuse("access", harmless=(None, "disabled"))
    files = tuple(map(_read_file, environment.objects("files", most=MAX_FILES) or ()))
    return NewEnvironment(files=files, settings={"container_size": environment.choice("container_size", _SIZES)})


def _read_file(body: Fields) -> NewFile:
    kind = body.needed_choice("type", ("file_id", "inline"))
    name = _read_path(body)
    if kind == "file_id":
        body.only("type", "path", "file_id")
        return NewFile(name=name, file_id=body.needed_text("file_id"))
    body.only("type", "path", "data")
    try:
        content = b64decode(body.needed_text("data", longest=MAX_INLINE_BYTES * 2), validate=True)
    except ValueError as error:
        raise body.invalid("data", "expected standard base64.", "invalid_value") from error
    if len(content) > MAX_INLINE_BYTES:
        raise body.invalid("data", f"expected at most {MAX_INLINE_BYTES} bytes.", "invalid_value")
    return NewFile(name=name, content=content)


def _read_path(body: Fields) -> str:
    """Inside the workspace."""
    path = body.needed_text("path", longest=MAX_PATH)
    inside = path.removeprefix(f"{WORKSPACE}/")
    parts = inside.split("/")
    is_odd = any(part in ("", ".", "..") or not part.isprintable() for part in parts)
    if inside in (path, OUTPUTS) or is_odd or parts[0].startswith(_RESERVED):
        raise body.invalid("path", f"expected a file's place in {WORKSPACE}, but got '{path}'.", "invalid_value")
    return inside


def render_environment(engine: Engine, session: SessionRecord) -> Json:
    """As a session shows it."""
    if session.container_id is None:
        return {"type": "none"}
    container = engine.store.find(ContainerRecord, session.container_id)
    return {
        **_render_content(engine, session.container_id),
        "type": "openai_hosted",
        "capability_directories": [],
        "container_size": container.settings.get("container_size") if container else None,
        "network": {"access": "disabled", "allowed_domains": []},
        "packages": {"npm": [], "python": [], "system": []},
    }


def _render_content(engine: Engine, container_id: str) -> Json:
    files = engine.store.children(ContainerFileRecord, container_id)
    given = [
        {
            "id": file.id,
            "path": f"{WORKSPACE}/{file.name}",
            "size_bytes": file.size_bytes,
            **({"type": "inline"} if is_inline(engine, file) else {"type": "file_id", "file_id": file.origin_id}),
        }
        for file in files
        if file.origin_id is not None
    ]
    return {"id": container_id, "files": given, "plugins": [], "skills": []}


def _render_file(file: ContainerFileRecord) -> Json:
    return {
        "object": "agent.environment.file",
        "environment_id": file.container_id,
        "path": f"{WORKSPACE}/{file.name}",
        "size_bytes": file.size_bytes,
    }


def _environment_routes(engine: Engine) -> list[Route]:
    def environment_id(request: Request) -> str:
        return str(request.path_params["environment_id"])

    def retrieve(request: Request) -> Json:
        session_of(engine, environment_id(request))
        container = need(engine, ContainerRecord, environment_id(request))
        status = "expired" if container.has_expired(engine.now()) else "connected"
        shown = _render_content(engine, container.id)
        return {**shown, "object": "agent.environment", "type": "openai_hosted", "status": status}

    async def create(request: Request) -> Json:
        order = _read_file(await read_body(request))
        session = session_of(engine, environment_id(request))
        return _render_file(await put_file(engine, session, order))

    def browse(request: Request) -> Json:
        """All of them: there are never many."""
        query = read_query(request, "limit", "order", "page", "path")
        page = read_page(query)
        folder = (query.text("path") or WORKSPACE).rstrip("/")
        if not f"{folder}/".startswith(f"{WORKSPACE}/"):
            raise query.invalid("path", f"expected a folder in {WORKSPACE}.", "invalid_value")
        session_of(engine, environment_id(request))
        files = engine.store.children(ContainerFileRecord, environment_id(request))
        shown = [_render_file(file) for file in files if f"{WORKSPACE}/{file.name}".startswith(f"{folder}/")]
        shown.sort(key=lambda one: str(one["path"]).split("/"), reverse=page.newest_first)
        return {"object": "list", "data": shown, "has_more": False, "next": None}

    return resource_routes(
        "/agents/environments", "environment_id", retrieve=retrieve, post_files=create, get_files=browse
    )


def _artifact_routes(engine: Engine, find: Callable[[Request], SessionRecord]) -> list[Route]:
    def artifact(request: Request) -> Artifact:
        wanted = request.path_params["artifact_id"]
        for one in find_artifacts(engine, find(request)):
            if one.file.id == wanted:
                return one
        raise Missing("artifact", wanted)

    def render(session: SessionRecord, one: Artifact) -> Json:
        return {
            "id": one.file.id,
            "object": "agent.session.artifact",
            "created_at": unix_seconds(one.run.ended_at),
            "environment_id": session.container_id,
            "path": f"{WORKSPACE}/{one.name}",
            "session_id": session.id,
            "size_bytes": one.file.size_bytes,
            "turn_id": one.run.id,
        }

    def browse(request: Request) -> Json:
        query = read_query(request, *FORWARD_PARAMETERS, "environment_id")
        session, environment_id = find(request), query.text("environment_id")
        is_asked_for = environment_id in (None, session.container_id)
        found = find_artifacts(engine, session) if is_asked_for else ()
        return cut_page([render(session, one) for one in found], read_page(query))

    def delete(request: Request) -> Json:
        one = artifact(request)
        delete_file(engine, one.file.id)
        return deleted_body(one.file.id, "agent.session.artifact")

    def content(request: Request) -> Response:
        one = artifact(request)
        return reply_content_of(engine, one.file, one.name)

    return resource_routes(
        "/agents/sessions/{session_id}/artifacts",
        "artifact_id",
        browse=browse,
        retrieve=lambda request: render(find(request), artifact(request)),
        delete=delete,
        get_content=content,
    )
