"""Containers and their files: reading orders for them, showing them."""

from __future__ import annotations

from runner.server.engine.container_records import ContainerFileRecord, ContainerRecord
from runner.server.engine.containers import NewContainer
from runner.server.engine.ids import IdKind
from runner.server.faces._bodies import Fields
from runner.server.faces._replies import Json, unix_seconds
from runner.server.sandboxes import FILES_FOLDER

MAX_FILES = 50
MAX_ID = 64
MAX_NAME = 256
MAX_MINUTES = 1_440
LIMITS = ("memory_limit", "network_policy")


def read_new_container(body: Fields) -> NewContainer:
    body.only("name", "file_ids", "expires_after", "skills", *LIMITS)
    body.refuse("skills", harmless=(None, []))
    return NewContainer(
        name=body.needed_text("name", longest=MAX_NAME),
        file_ids=body.texts("file_ids", most=MAX_FILES) or (),
        idle_s=_read_idle_s(body),
        settings=read_limits(body),
    )


def read_limits(body: Fields) -> Json:
    """What the sandbox gives anyway: the least memory that can be asked for, and no network. Raises BadRequest."""
    body.refuse("memory_limit", harmless=(None, "1g"))
    body.refuse("network_policy", harmless=(None, {"type": "disabled"}))
    return {name: body.values[name] for name in LIMITS if body.values.get(name) is not None}


def _read_idle_s(body: Fields) -> float | None:
    policy = body.mapping("expires_after")
    if policy is None:
        return None
    policy.only("anchor", "minutes")
    policy.need("anchor")
    policy.choice("anchor", ("last_active_at",))
    policy.need("minutes")
    return (policy.integer("minutes", least=1, most=MAX_MINUTES) or 1) * 60.0


def read_container_id(tool: Fields) -> str:
    container_id = tool.needed_text("container", longest=MAX_ID)
    prefix = IdKind.CONTAINER.prefix
    if not container_id.startswith(prefix):
        why = f"'{container_id}'. Expected an ID that begins with '{prefix}'."
        raise tool.invalid("container", why, "invalid_value")
    return container_id


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
