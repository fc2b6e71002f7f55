"""What a run may see and use: the scene for the inference, the context for its tools."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from runner.server.engine.budget import fit_scene, left_to_say, sum_tokens
from runner.server.engine.embedding import embed_texts
from runner.server.engine.engine import Engine
from runner.server.engine.file_records import FileRecord, IndexState, StoredFileRecord, StoreRecord
from runner.server.engine.records import (
    FunctionCall,
    ImagePart,
    MessageRecord,
    RunRecord,
    StepRecord,
    ThreadRecord,
    ToolCall,
)
from runner.server.engine.searching import AboveScore
from runner.server.inference import FunctionRequest, OfferedFunction, Scene, SceneMessage, ToolOutcome, ToolRequest
from runner.server.tools import ToolContext

_PLAIN_TEXT = {"type": "text"}


def build_scene(engine: Engine, run: RunRecord) -> Scene:
    """All that the inference may know now. It is read from the store each time: a run can be taken up again."""
    brief = run.brief
    steps = engine.store.children(StepRecord, run.id)
    used = sum_tokens(steps)
    outcomes = tuple(outcome for step in steps for call in step.calls if (outcome := _outcome(call)) is not None)
    scene = Scene(
        model=brief.model,
        instructions=brief.instructions or "",
        tools=offered_tools(run),
        messages=_messages(engine, run),
        outcomes=outcomes,
        has_documents=any(
            file.state is IndexState.COMPLETED
            for store_id in searched_stores(engine, run)
            for file in engine.store.children(StoredFileRecord, store_id)
        ),
        thread_files=_thread_files(engine, run),
        functions=offered_functions(run),
        # A choice is for the run's first move: were it kept, the run would never come to an answer.
        tool_choice="auto" if outcomes and run.tool_choice != "none" else run.tool_choice,
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=None if brief.response_format == _PLAIN_TEXT else brief.response_format,
        temperature=brief.temperature,
        top_p=brief.top_p,
        reasoning_effort=brief.reasoning_effort,
        max_output_tokens=left_to_say(run, used),
    )
    return fit_scene(scene, run, used)


def offered_tools(run: RunRecord) -> frozenset[str]:
    return frozenset(tool.name for tool in run.brief.hosted_tools) if run.tool_choice != "none" else frozenset()


def offered_functions(run: RunRecord) -> tuple[OfferedFunction, ...]:
    return run.brief.functions if run.tool_choice != "none" else ()


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
    options = next((setting.options for setting in run.brief.hosted_tools if setting.name == tool), {})
    threshold = options.get("score_threshold")
    return ToolContext(
        index=AboveScore(index=engine.index, threshold=threshold if isinstance(threshold, float) else 0.0),
        thread_id=run.thread_id,
        store_ids=searched_stores(engine, run),
        files=_code_files(engine, run),
        options=options,
        embed=partial(embed_texts, engine.inference),
    )


def _messages(engine: Engine, run: RunRecord) -> tuple[SceneMessage, ...]:
    """The thread up to the question: what the run itself has said is no part of it, and empty messages tell nothing."""
    all_messages = engine.store.children(MessageRecord, run.thread_id)
    messages = tuple(message for message in all_messages if message.run_id != run.id and message.parts)
    if run.last_messages is not None:
        messages = messages[-run.last_messages :]
    return tuple(
        SceneMessage(
            role=message.role,
            text="\n".join(part.text for part in message.parts if not isinstance(part, ImagePart)),
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


def _outcome(call: ToolCall | FunctionCall) -> ToolOutcome | None:
    """What a call came to; None if it is open."""
    if isinstance(call, FunctionCall):
        request = FunctionRequest(name=call.name, arguments=call.arguments)
        return None if call.output is None else ToolOutcome(request=request, completed=True, output=call.output)
    if call.completed is None:
        return None
    return ToolOutcome(
        request=ToolRequest(tool=call.tool, arguments=call.arguments),
        completed=call.completed,
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
