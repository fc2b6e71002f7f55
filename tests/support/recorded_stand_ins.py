"""What recordings upload without showing it, and what they take for granted: containers and files made before."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_CONTAINER_ID = re.compile(r"/containers/(cntr_\w+)")


def upload_in(exchange: Json, recording: Path) -> tuple[str, bytes]:
    """The name and the content of the file that an exchange uploads."""
    made = exchange["response"]
    if made["object"] == "container.file":
        return name_in_container(made), _downloaded(made, recording) or _stand_in(made)
    sent = (line.removeprefix("b64:") for line in exchange["request"] or () if line.startswith("b64:"))
    content = next((base64.b64decode(line) for line in sent), None)
    return made["filename"], content or _inline(made, recording.parent) or _stand_in(made)


def name_in_container(file: Json) -> str:
    """The name that it was uploaded under: its path has a prefix of OpenAI's."""
    return str(file["path"]).rpartition("/")[2].partition("-")[2]


def containers_before(exchanges: list[Json]) -> list[Json]:
    """Containers, the oldest first, that a recording shows or names and does not make; of some only the id is known."""
    named = (found for one in exchanges for found in _CONTAINER_ID.findall(one["path"]))
    found: dict[str, Json] = {name: {"id": name, "name": "stand-in", "created_at": 0} for name in named}
    found |= {one["id"]: one for one in _objects(exchanges, "container")}
    made = {one["response"]["id"] for one in exchanges if (one["method"], one["path"]) == ("POST", "/v1/containers")}
    return sorted((one for one in found.values() if one["id"] not in made), key=lambda one: one["created_at"])


def files_before(exchanges: list[Json]) -> list[Json]:
    """Files in containers that a recording shows and does not upload."""
    made = {one["response"]["id"] for one in exchanges if one["request_type"] == "multipart/form-data"}
    shown = {one["id"]: one for one in _objects(exchanges, "container.file")}
    return [one for one in shown.values() if one["id"] not in made]


def _objects(exchanges: list[Json], kind: str) -> Iterator[Json]:
    for body in (one["response"] for one in exchanges if isinstance(one["response"], dict)):
        yield from (one for one in body.get("data", [body]) if one.get("object") == kind)


def _stand_in(made: Json) -> bytes:
    return b"A stand-in's line.\n".ljust(made["bytes"])[: made["bytes"]]


def _downloaded(made: Json, recording: Path) -> bytes | None:
    texts = (one["response"] for one in _load(recording) if one["path"].endswith(f"{made['id']}/content"))
    return next((text.encode() for text in texts), None)


def _inline(made: Json, folder: Path) -> bytes | None:
    """A file of that name and size which another recording of the folder sends in the request itself."""
    for part in (part for path in sorted(folder.glob("*.json")) for part in _inline_files(_load(path))):
        content = base64.b64decode(part["file_data"].rpartition(",")[2])
        if (part["filename"], len(content)) == (made["filename"], made["bytes"]):
            return content
    return None


def _inline_files(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        if "file_data" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _inline_files(child)


def _load(path: Path) -> list[Json]:
    exchanges: list[Json] = json.loads(path.read_text("utf-8"))
    return exchanges
