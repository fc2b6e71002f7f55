"""Tool resources: what tools may read, and vector stores made on the way."""

from __future__ import annotations

from runner.server.engine.file_records import Chunking
from runner.server.engine.records import Resources, ToolSetting
from runner.server.engine.resources import MAX_CODE_FILES, ResourceOrder
from runner.server.engine.vector_stores import NewStore, NewStoredFile
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest
from runner.server.faces._metadata import read_metadata
from runner.server.faces._replies import Json

MAX_INLINE_FILES = 10_000


def read_resources(body: Fields, *, may_make_stores: bool) -> ResourceOrder:
    resources = body.mapping("tool_resources") or Fields({})
    resources.only("code_interpreter", "file_search")
    code = resources.mapping("code_interpreter") or Fields({}, resources.where("code_interpreter"))
    code.only("file_ids")
    search = resources.mapping("file_search") or Fields({}, resources.where("file_search"))
    search.only("vector_store_ids", *(("vector_stores",) if may_make_stores else ()))
    store_ids = search.texts("vector_store_ids", most=1)
    stores = search.objects("vector_stores", most=1)
    if store_ids is not None and stores is not None:
        message = "Use either 'vector_store_ids' or 'vector_stores', not both."
        raise BadRequest(message, param=search.path, code="invalid_value")
    return ResourceOrder(
        code_file_ids=code.texts("file_ids", most=MAX_CODE_FILES),
        store_ids=store_ids,
        new_store=_read_inline_store(stores[0]) if stores else None,
    )


def _read_inline_store(store: Fields) -> NewStore:
    store.only("file_ids", "chunking_strategy", "metadata")
    chunking = read_chunking(store)
    file_ids = store.texts("file_ids", most=MAX_INLINE_FILES) or ()
    return NewStore(
        metadata=read_metadata(store) or {},
        files=tuple(NewStoredFile(file_id=file_id, chunking=chunking) for file_id in file_ids),
    )


def read_chunking(body: Fields) -> Chunking:
    strategy = body.mapping("chunking_strategy")
    if strategy is None:
        return Chunking()
    strategy.need("type")
    if strategy.choice("type", ("auto", "static")) == "auto":
        strategy.only("type")
        return Chunking()
    strategy.only("type", "static")
    strategy.need("static")
    static = strategy.mapping("static") or Fields({})
    static.only("max_chunk_size_tokens", "chunk_overlap_tokens")
    for name in ("max_chunk_size_tokens", "chunk_overlap_tokens"):
        static.need(name)
    size = static.integer("max_chunk_size_tokens", least=100, most=4096) or 0
    overlap = static.integer("chunk_overlap_tokens", least=0, most=size // 2) or 0
    return Chunking(max_tokens=size, overlap_tokens=overlap)


def render_resources(resources: Resources, tools: tuple[ToolSetting, ...] = (), *, in_full: bool = False) -> Json:
    """A tool that an assistant has is shown with an empty list even if nothing was given to it.

    In full, as every stream and a thread that is retrieved have it, so is the code interpreter, whatever there is.
    """
    names = {tool.name for tool in tools}
    shown: Json = {}
    if in_full or resources.code_file_ids is not None or "code_interpreter" in names:
        shown["code_interpreter"] = {"file_ids": list(resources.code_file_ids or ())}
    if resources.store_ids is not None or "file_search" in names:
        shown["file_search"] = {"vector_store_ids": list(resources.store_ids or ())}
    return shown
