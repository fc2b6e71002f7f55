"""`inference` of a target: what says what to do next on the embedded server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.config.attachments import Unusable, find_file
from runner.config.document import Document, Mistake, Where
from runner.config.urls import check_key_place, check_url, key_variable
from runner.domain.assistant import ChatEndpoint, InferenceChoice, Offline, Scripted

_ENDPOINT_KEYS = ("base_url", "model", "key_env", "embedding_model")


def read_inference(document: Document, body: Mapping[str, Any], where: Where, root: Path) -> InferenceChoice | None:
    """The choice of the target at `where`; None after reporting what is wrong with it."""
    written = body.get("inference")
    where = (*where, "inference")
    if not isinstance(written, dict):
        return Offline()
    if "scripted" in written:
        return _read_script(document, written, where, root)
    if "base_url" not in written:
        hint = "write offline, {scripted: FILE} or {base_url: ADDRESS, model: NAME}"
        document.report(Mistake(where=where, at_key=True, message="the key 'base_url' is missing", hint=hint))
        return None
    if not check_url(document, str(written["base_url"]), (*where, "base_url")):
        return None
    check_key_place(document, written, where)
    return ChatEndpoint(
        base_url=written["base_url"],
        model=written.get("model"),
        key_variable=key_variable(written),
        embedding_model=written.get("embedding_model"),
    )


def _read_script(document: Document, written: Mapping[str, Any], where: Where, root: Path) -> Scripted | None:
    for key in _ENDPOINT_KEYS:
        if key in written:
            message = f"`scripted` and `{key}` exclude each other"
            document.report(Mistake(where=(*where, key), at_key=True, message=message, hint="remove one of them"))
            return None
    try:
        return Scripted(script=find_file(str(written["scripted"]), folder=document.folder, root=root))
    except Unusable as error:
        document.report(error.at((*where, "scripted")))
        return None
