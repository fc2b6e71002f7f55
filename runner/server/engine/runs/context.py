"""What a run may see and use: the scene for the inference, the context for its tools, tokens that are left."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from runner.server.engine.containers import code_option, find_code_files
from runner.server.engine.core import Engine
from runner.server.engine.documents import find_given, narrow_index, tally_files
from runner.server.engine.search import embed_texts
from runner.server.engine.state.file_storage import FileRecord, IndexState, StoreRecord
from runner.server.engine.state.records import (
    FunctionCall,
    ImagePart,
    MessageRecord,
    RunRecord,
    StepRecord,
    ThreadRecord,
    Tokens,
    ToolCall,
    ToolSetting,
)
from runner.server.inference import (
    FunctionRequest,
    OfferedFunction,
    Scene,
    SceneMessage,
    Spent,
    ToolOutcome,
    ToolRequest,
)
from runner.server.sandboxes import FILES_FOLDER
from runner.server.tools import ToolContext

WORDS_PER_TOKEN = 0.75
CONTEXT_TOKENS = 1_000_000
"""What the server takes for one question, with all that was said before it."""
PROMPT, COMPLETION = "max_prompt_tokens", "max_completion_tokens"


def count_tokens(text: str) -> int:
    """An estimate: a token is about three quarters of a word."""
    return math.ceil(len(text.split()) / WORDS_PER_TOKEN)


def sum_tokens(steps: tuple[StepRecord, ...]) -> Tokens:
    return sum((step.tokens for step in steps), Tokens())


def left_to_say(run: RunRecord, used: Tokens) -> int | None:
    """Tokens that the run may still give; None is any number."""
    return None if run.max_completion_tokens is None else max(0, run.max_completion_tokens - used.output)


def left_to_call(run: RunRecord, steps: tuple[StepRecord, ...]) -> int | None:
    """Calls of hosted tools that the run may still make; None is any number."""
    if run.max_tool_calls is None:
        return None
    return max(0, run.max_tool_calls - count_calls(steps))


def count_calls(steps: tuple[StepRecord, ...]) -> int:
    """The calls of hosted tools."""
    return sum(isinstance(call, ToolCall) for step in steps for call in step.calls)


def fit_scene(scene: Scene, run: RunRecord, used: Tokens) -> Scene:
    """The scene without the oldest messages, as far as the run's limit on the prompt, or the context, asks for it."""
    if run.max_prompt_tokens is not None:
        room = run.max_prompt_tokens - used.input
    elif run.truncates:
        room = CONTEXT_TOKENS
    else:
        return scene
    kept: list[SceneMessage] = []
    left = room - _count_fixed(scene)
    for message in reversed(scene.messages):
        left -= _count_message(message)
        if kept and left < 0:
            break
        kept.append(message)
    return replace(scene, messages=tuple(reversed(kept)))


def find_exceeded(scene: Scene, run: RunRecord, used: Tokens) -> str | None:
    """The limit that the run would break with its next move, if any."""
    if run.max_prompt_tokens is not None and used.input + count_prompt(scene) > run.max_prompt_tokens:
        return PROMPT
    return COMPLETION if left_to_say(run, used) == 0 else None


def count_prompt(scene: Scene) -> int:
    """An estimate of all that the inference is given to read."""
    return _count_fixed(scene) + sum(_count_message(message) for message in scene.messages)


def _count_message(message: SceneMessage) -> int:
    return count_tokens(message.text) + sum(count_tokens(file.text) for file in message.files)


def _count_fixed(scene: Scene) -> int:
    """What is in every prompt of the run, whatever is left out of the thread."""
    passages = sum(count_tokens(passage.text) for outcome in scene.outcomes for passage in outcome.passages)
    outputs = sum(count_tokens(outcome.said) + count_tokens(outcome.output) for outcome in scene.outcomes)
    return count_tokens(scene.instructions) + passages + outputs


def cut_to_fit(text: str, spent: Spent | None, left: int | None) -> str | None:
    """The text's beginning that fits into what was left to say; None if all of it does.

    What the inference counted goes before what we estimate.
    """
    if left is None or ((spent and spent.output_tokens) or count_tokens(text)) <= left:
        return None
    words = re.findall(r"\s*\S+", text)
    return "".join(words[: int(left * WORDS_PER_TOKEN)])


_PLAIN_TEXT = {"type": "text"}


def wants_json(run: RunRecord) -> bool:
    """Whether its client will read the answer as JSON."""
    return (run.brief.response_format or {}).get("type") in ("json_schema", "json_object")


def build_scene(engine: Engine, run: RunRecord) -> Scene:
    """All that the inference may know now. It is read from the store each time: a run can be taken up again."""
    brief = run.brief
    steps = engine.store.children(StepRecord, run.id)
    used = sum_tokens(steps)
    outcomes = tuple(outcome for step in steps for outcome in _outcomes(step))
    scene = Scene(
        model=brief.model,
        instructions=brief.instructions or "",
        tools=offered_tools(run) if left_to_call(run, steps) != 0 else frozenset(),
        messages=_messages(engine, run),
        outcomes=outcomes,
        has_documents=any(
            tally_files(engine, store_id)[IndexState.COMPLETED].count for store_id in searched_stores(engine, run)
        ),
        functions=offered_functions(run),
        # A choice is for the run's first move: were it kept, the run would never come to an answer.
        tool_choice="auto" if outcomes and run.tool_choice != "none" else run.tool_choice,
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=None if brief.response_format == _PLAIN_TEXT else brief.response_format,
        temperature=brief.temperature,
        top_p=brief.top_p,
        reasoning_effort=brief.reasoning_effort,
        verbosity=brief.verbosity,
        code_home=code_home(run),
        max_output_tokens=left_to_say(run, used),
    )
    return fit_scene(scene, run, used)


def offered_tools(run: RunRecord) -> frozenset[str]:
    return frozenset(tool.name for tool in run.brief.hosted_tools) if run.tool_choice != "none" else frozenset()


def code_home(run: RunRecord) -> str:
    """The folder that its code works in, as the code sees it."""
    return code_option(run.brief, "home") or FILES_FOLDER


def offered_functions(run: RunRecord) -> tuple[OfferedFunction, ...]:
    return run.brief.functions if run.tool_choice != "none" else ()


def searched_stores(engine: Engine, run: RunRecord) -> tuple[str, ...]:
    """The vector stores of the assistant and of the thread that still live, without repetition."""
    thread = engine.store.find(ThreadRecord, run.thread_id)
    of_thread = thread.resources.store_ids if thread is not None else None
    wanted = dict.fromkeys((*(run.brief.resources.store_ids or ()), *(of_thread or ())))
    stores = (engine.store.find(StoreRecord, store_id) for store_id in wanted)
    return tuple(store.id for store in stores if store is not None and not store.is_expired)


def tool_context(engine: Engine, run: RunRecord, call: ToolCall) -> ToolContext:
    setting = run.brief.setting(call.tool) or ToolSetting(name=call.tool)
    threshold = setting.options.get("score_threshold")
    store_ids = searched_stores(engine, run)
    files, written = find_code_files(engine, run, call.container_id)
    return ToolContext(
        index=narrow_index(engine, store_ids, setting.filters, threshold if isinstance(threshold, float) else 0.0),
        thread_id=run.thread_id,
        store_ids=store_ids,
        files=files,
        written=written,
        container_id=call.container_id,
        home=code_home(run),
        outputs=code_option(run.brief, "outputs"),
        options=setting.options,
        embed=partial(embed_texts, engine.inference),
    )


def _messages(engine: Engine, run: RunRecord) -> tuple[SceneMessage, ...]:
    """The thread up to the question: what the run itself has said is no part of it, and empty messages tell nothing."""
    all_messages = engine.store.children(MessageRecord, run.thread_id)
    own = (run.id, *run.carried_run_ids)
    messages = tuple(message for message in all_messages if message.run_id not in own and message.parts)
    if run.last_messages is not None:
        messages = messages[-run.last_messages :]
    return tuple(
        SceneMessage(
            role=message.role,
            text="\n".join(part.text for part in message.parts if not isinstance(part, ImagePart)),
            filenames=_filenames(engine, message),
            files=tuple(
                file
                for one in message.attachments
                if one.is_input and (file := find_given(engine, one.file_id)) is not None
            ),
            declined=message.declined,
        )
        for message in messages
    )


def _filenames(engine: Engine, message: MessageRecord) -> tuple[str, ...]:
    images = [part.file_id for part in message.parts if isinstance(part, ImagePart) and part.file_id]
    file_ids = [*(attachment.file_id for attachment in message.attachments), *images]
    files = (engine.store.find(FileRecord, file_id) for file_id in dict.fromkeys(file_ids))
    return tuple(file.filename for file in files if file is not None)


def _outcomes(step: StepRecord) -> Iterator[ToolOutcome]:
    said = step.said
    for call in step.calls:
        outcome = _outcome(call)
        if outcome is not None:
            yield replace(outcome, said=said)
            said = ""


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
