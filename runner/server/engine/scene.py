"""What a run may see and use: the scene for the inference, the context for its tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.server.engine.engine import Engine
from runner.server.engine.records import (
    FileRecord,
    ImagePart,
    IndexState,
    MessageRecord,
    RunRecord,
    StepRecord,
    StoredFileRecord,
    StoreRecord,
    TextPart,
    ThreadRecord,
    ToolCall,
)
from runner.server.inference import Passage, Scene, SceneMessage, ToolOutcome, ToolRequest
from runner.server.tools import Index, ToolContext


def build_scene(engine: Engine, run: RunRecord) -> Scene:
    """All that the inference may know now. It is read from the store each time: a run can be taken up again."""
    steps = engine.store.children(StepRecord, run.id)
    return Scene(
        model=run.brief.model,
        instructions=run.brief.instructions or "",
        tools=offered_tools(run),
        messages=_messages(engine, run),
        outcomes=tuple(_outcome(call) for step in steps for call in step.calls if call.completed is not None),
        has_documents=any(
            file.state is IndexState.COMPLETED
            for store_id in searched_stores(engine, run)
            for file in engine.store.children(StoredFileRecord, store_id)
        ),
        thread_files=_thread_files(engine, run),
    )


def offered_tools(run: RunRecord) -> frozenset[str]:
    return frozenset(tool.name for tool in run.brief.tools) if run.tools_allowed else frozenset()


def searched_stores(engine: Engine, run: RunRecord) -> tuple[str, ...]:
    """The vector stores of the assistant and of the thread that still live, without repetition."""
    thread = engine.store.find(ThreadRecord, run.thread_id)
    of_thread = thread.resources.store_ids if thread is not None else None
    wanted = dict.fromkeys((*(run.brief.resources.store_ids or ()), *(of_thread or ())))
    stores = (engine.store.find(StoreRecord, store_id) for store_id in wanted)
    return tuple(store.id for store in stores if store is not None and not store.is_expired)


def _thread_files(engine: Engine, run: RunRecord) -> frozenset[str]:
    thread = engine.store.find(ThreadRecord, run.thread_id)
    stores = set(thread.resources.store_ids or ()) if thread is not None else set()
    of_thread = stores - set(run.brief.resources.store_ids or ())
    return frozenset(
        file.file_id for store_id in of_thread for file in engine.store.children(StoredFileRecord, store_id)
    )


def tool_context(engine: Engine, run: RunRecord, tool: str) -> ToolContext:
    options = next((setting.options for setting in run.brief.tools if setting.name == tool), {})
    threshold = options.get("score_threshold")
    return ToolContext(
        index=AboveScore(index=engine.index, threshold=threshold if isinstance(threshold, float) else 0.0),
        thread_id=run.thread_id,
        store_ids=searched_stores(engine, run),
        files=_code_files(engine, run),
        options=options,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveScore:
    """An index that leaves out what scores below a threshold."""

    index: Index
    threshold: float

    def search(self, store_ids: Sequence[str], query: str, limit: int) -> tuple[Passage, ...]:
        found = self.index.search(store_ids, query, limit)
        return tuple(passage for passage in found if passage.score >= self.threshold)


def _messages(engine: Engine, run: RunRecord) -> tuple[SceneMessage, ...]:
    messages = engine.store.children(MessageRecord, run.thread_id)
    if run.last_messages is not None:
        messages = messages[-run.last_messages :]
    return tuple(
        SceneMessage(
            role=message.role,
            text="\n".join(part.text for part in message.parts if isinstance(part, TextPart)),
            filenames=_filenames(engine, message),
            declined=message.declined,
        )
        for message in messages
    )


def _filenames(engine: Engine, message: MessageRecord) -> tuple[str, ...]:
    images = [part.file_id for part in message.parts if isinstance(part, ImagePart) and part.file_id]
    file_ids = [*(attachment.file_id for attachment in message.attachments), *images]
    files = (engine.store.find(FileRecord, file_id) for file_id in dict.fromkeys(file_ids))
    return tuple(file.filename for file in files if file is not None)


def _outcome(call: ToolCall) -> ToolOutcome:
    return ToolOutcome(
        request=ToolRequest(tool=call.tool, arguments=call.arguments),
        completed=bool(call.completed),
        output=call.output,
        passages=call.passages,
    )


def _code_files(engine: Engine, run: RunRecord) -> Mapping[str, Path]:
    """Files for the code interpreter by name; the second of one name has its id before it."""
    thread = engine.store.find(ThreadRecord, run.thread_id)
    of_thread = thread.resources.code_file_ids if thread is not None else None
    paths: dict[str, Path] = {}
    for file_id in dict.fromkeys((*(run.brief.resources.code_file_ids or ()), *(of_thread or ()))):
        file = engine.store.find(FileRecord, file_id)
        if file is not None:
            name = f"{file.id}-{file.filename}" if file.filename in paths else file.filename
            paths[name] = engine.blobs.path(file.sha256)
    return paths
