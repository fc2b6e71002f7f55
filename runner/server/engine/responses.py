"""Responses, runs without a stored assistant that go on where an earlier one stopped; conversations and their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from runner.server.engine.containers import check_container
from runner.server.engine.core import Engine, need
from runner.server.engine.documents import ResourceOrder, delete_files_of, settle_resources
from runner.server.engine.runs.context import CONTEXT_TOKENS, build_scene, count_calls, count_prompt
from runner.server.engine.runs.loop import move_run, new_step, take_up
from runner.server.engine.runs.runs import (
    NewMessage,
    NewThread,
    answer_calls,
    append_message,
    cancel_run,
    create_thread,
)
from runner.server.engine.state.records import (
    Brief,
    ConversationRecord,
    FunctionCall,
    IdKind,
    ItemRecord,
    MessageRecord,
    Resources,
    ResponseRecord,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ThreadRecord,
    Tokens,
    stored_item_id,
)
from runner.server.engine.state.store import Conflict, Missing, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item as the face shows it, and what it means: one of the others is set.

    A `call` with an `output` is the client's answer to a call that was made before; its name may be unknown. An item
    that stands in another thread already is that `original`, whatever else it means.
    """

    body: Mapping[str, object]
    id_prefix: str = ""
    message: NewMessage | None = None
    instruction: str | None = None
    call: FunctionCall | None = None
    original: ItemRecord | None = None


def keep_items(engine: Engine, thread_id: str, items: Sequence[NewItem]) -> tuple[ItemRecord, ...]:
    """Within a transaction. Messages become the thread's, under the ids of their items.

    Raises Refusal for an item that is in the thread already.
    """
    return tuple(_keep_item(engine, thread_id, item) for item in items)


def _keep_item(engine: Engine, thread_id: str, item: NewItem) -> ItemRecord:
    if item.original is not None:
        return copy_item(engine, thread_id, item.original)
    message_id = None
    if item.message is not None:
        item_id = message_id = append_message(engine, thread_id, item.message).id
    else:
        random = engine.new_id(IdKind.MESSAGE).removeprefix(IdKind.MESSAGE.prefix)
        item_id = (item.id_prefix or IdKind.MESSAGE.prefix) + random
    body = {"id": item_id, **item.body}
    return _insert_item(engine, thread_id, body, instruction=item.instruction, message_id=message_id)


def _insert_item(engine: Engine, thread_id: str, body: Mapping[str, object], **more: str | None) -> ItemRecord:
    item_id = str(body["id"])
    stored_id = stored_item_id(thread_id, item_id)
    return engine.store.insert(
        ItemRecord(id=stored_id, created_at=engine.now(), thread_id=thread_id, item_id=item_id, body=body, **more)
    )


def keep_output(engine: Engine, response: ResponseRecord, bodies: Sequence[Mapping[str, object]]) -> None:
    """Add what a response has said and done to its thread's items. The thread may be gone."""
    with engine.store.transaction():
        for body in bodies:
            message_id = str(body["id"]) if body["type"] == "message" else None
            _insert_item(engine, response.thread_id, body, message_id=message_id, response_id=response.id)


def copy_item(engine: Engine, thread_id: str, item: ItemRecord) -> ItemRecord:
    """Put an item into another thread as well, with its message. Raises Refusal if it is there already."""
    stored_id = stored_item_id(thread_id, item.item_id)
    if engine.store.find(ItemRecord, stored_id) is not None:
        message = f"Duplicate item found with id {item.item_id}. Remove duplicate items from your input and try again."
        raise Refusal(message, param="input")
    message_id = None
    said = engine.store.find(MessageRecord, item.message_id) if item.message_id is not None else None
    if said is not None:
        message_id = engine.new_id(IdKind.MESSAGE)
        engine.store.insert(replace(said, id=message_id, thread_id=thread_id))
    return engine.store.insert(replace(item, id=stored_id, thread_id=thread_id, message_id=message_id))


def find_item(engine: Engine, item_id: str) -> ItemRecord | None:
    """The item called that in whichever thread."""
    found = engine.store.starting_with(ItemRecord, stored_item_id("", item_id))
    return found[0] if found else None


def delete_item(engine: Engine, item: ItemRecord) -> None:
    """With the message that it is."""
    with engine.store.transaction():
        engine.store.delete(item.id)
        if item.message_id is not None:
            engine.store.delete(item.message_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOrder:
    """What a response is asked for; `settings` is how the face shows that, `window_s` how long it may take."""

    brief: Brief
    items: tuple[NewItem, ...]
    settings: Mapping[str, object]
    conversation_id: str | None = None
    previous_id: str | None = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    truncates: bool = False
    in_background: bool = False
    is_stored: bool = True
    window_s: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def start_response(engine: Engine, order: ResponseOrder) -> ResponseRecord:
    """A queued run, which this process works on from now. Raises Conflict if its thread is being worked on."""
    with engine.store.transaction():
        check_container(engine, order.brief)
        thread_id, last = _find_thread(engine, order)
        earlier = engine.store.children(ItemRecord, thread_id)
        kept = keep_items(engine, thread_id, order.items)
        open_steps = _open_steps(engine, last)
        run = _new_run(engine, thread_id, order, carried=open_steps)
        carried = carry_calls(engine, run, open_steps, order.items)
        if run.max_tool_calls is not None:
            # The limit is on its own calls, without those that an earlier response has made.
            run = replace(run, max_tool_calls=run.max_tool_calls + count_calls(carried))
        engine.store.insert(run)
        for step in carried:
            engine.store.insert(step)
        if count_prompt(build_scene(engine, run)) > CONTEXT_TOKENS:
            message = "Your input exceeds the context window of this model. Please adjust your input and try again."
            raise Refusal(message, param="input", code="context_length_exceeded")
        response = ResponseRecord(
            id=engine.new_id(IdKind.RESPONSE),
            created_at=run.created_at,
            thread_id=thread_id,
            run_id=run.id,
            settings=order.settings,
            input_ids=tuple(item.item_id for item in (*earlier, *kept)),
            carried_steps=len(carried),
            conversation_id=order.conversation_id,
            previous_id=order.previous_id,
            in_background=order.in_background,
            is_stored=order.is_stored,
            metadata=order.metadata,
        )
        engine.store.insert(response)
        take_up(engine, run)
    return response


def _find_thread(engine: Engine, order: ResponseOrder) -> tuple[str, ResponseRecord | None]:
    """The thread to go on with, and its last response if there is one."""
    if order.previous_id is not None:
        previous = _need_previous(engine, order.previous_id)
        return thread_after(engine, previous), previous
    if order.conversation_id is not None:
        thread_id = need(engine, ConversationRecord, order.conversation_id).thread_id
        responses = engine.store.children(ResponseRecord, thread_id)
        if any(run_of(engine, one).is_being_worked_on for one in responses):
            message = "Another process is currently operating on this conversation. Please retry in a few seconds."
            raise Conflict(message, code="conversation_locked")
        return thread_id, responses[-1] if responses else None
    return create_thread(engine, NewThread()).id, None


def _need_previous(engine: Engine, response_id: str) -> ResponseRecord:
    previous = engine.store.find(ResponseRecord, response_id)
    if previous is None or not previous.is_stored:
        message = f"Previous response with id '{response_id}' not found."
        raise Refusal(message, param="previous_response_id", code="previous_response_not_found")
    if run_of(engine, previous).is_being_worked_on:
        raise Conflict(f"Previous response '{previous.id}' is still in progress.", param="previous_response_id")
    return previous


def _new_run(engine: Engine, thread_id: str, order: ResponseOrder, carried: tuple[StepRecord, ...]) -> RunRecord:
    """`carried` are steps whose calls are answered now. What was said before them is no part of the question."""
    earlier = need(engine, RunRecord, carried[0].run_id) if carried else None
    brief, now = order.brief, engine.now()
    wanted = ResourceOrder(code_file_ids=brief.resources.code_file_ids, store_ids=brief.resources.store_ids)
    # The response's own instructions, then those that stand among the items of its thread.
    items = engine.store.children(ItemRecord, thread_id)
    texts = [brief.instructions, *(item.instruction for item in items)]
    instructions = "\n".join(text for text in texts if text) or None
    return RunRecord(
        id=engine.new_id(IdKind.RUN),
        created_at=now,
        thread_id=thread_id,
        brief=replace(brief, instructions=instructions, resources=settle_resources(engine, wanted, Resources())),
        expires_at=now + (order.window_s or engine.lifetimes.run_s),
        tool_choice=order.tool_choice,
        parallel_tool_calls=order.parallel_tool_calls,
        ends_with_calls=True,
        max_completion_tokens=order.max_output_tokens,
        max_tool_calls=order.max_tool_calls,
        truncates=order.truncates,
        carried_run_ids=() if earlier is None else (*earlier.carried_run_ids, earlier.id),
    )


def need_response(engine: Engine, response_id: str) -> ResponseRecord:
    """Raises Missing if there is none, or if it was not to be kept."""
    response = need(engine, ResponseRecord, response_id)
    if not response.is_stored:
        raise Missing(ResponseRecord.KIND, response_id)
    return response


def run_of(engine: Engine, response: ResponseRecord) -> RunRecord:
    return need(engine, RunRecord, response.run_id)


def cancel_response(engine: Engine, response_id: str) -> ResponseRecord:
    """Raises Conflict unless it is in the background. What is over, or about to be cancelled, stays as it is."""
    response = need_response(engine, response_id)
    if not response.in_background:
        raise Conflict("Cannot cancel a synchronous response.")
    with suppress(Conflict):
        cancel_run(engine, response.thread_id, response.run_id)
    return response


def delete_response(engine: Engine, response_id: str) -> None:
    """A run that is at work for it is stopped; what was said goes with the last one who knows of it."""
    response = need(engine, ResponseRecord, response_id)
    engine.workers.cancel(response.run_id)
    with engine.store.transaction():
        # Who listens to the run is told of its end while there still is one.
        for state in (RunState.CANCELLING, RunState.CANCELLED):
            move_run(engine, response.run_id, state)
        engine.store.delete(response_id)
        drop_unused_thread(engine, response.thread_id)


def drop_unused_thread(engine: Engine, thread_id: str) -> None:
    """Within a transaction: delete a thread that no response and no conversation is about."""
    conversations = engine.store.children(ConversationRecord, "", matching={"thread_id": thread_id})
    if not conversations and not engine.store.children(ResponseRecord, thread_id):
        delete_files_of(engine, thread_id)
        engine.store.delete(thread_id)


def thread_after(engine: Engine, response: ResponseRecord) -> str:
    """Within a transaction: a thread that knows what the response and those before it knew and said, and no more.

    It is the response's own, unless that is a conversation's, or somebody has gone on with it already: then a copy.
    """
    items = engine.store.children(ItemRecord, response.thread_id)
    given = frozenset(response.input_ids)
    known = tuple(item for item in items if item.item_id in given or item.response_id == response.id)
    is_last = engine.store.children(ResponseRecord, response.thread_id)[-1].id == response.id
    if is_last and known == items and response.conversation_id is None:
        return response.thread_id
    thread = need(engine, ThreadRecord, response.thread_id)
    branch = engine.store.insert(replace(thread, id=engine.new_id(IdKind.THREAD), created_at=engine.now()))
    for item in known:
        copy_item(engine, branch.id, item)
    return branch.id


def carry_calls(
    engine: Engine, run: RunRecord, open_steps: tuple[StepRecord, ...], items: Sequence[NewItem]
) -> tuple[StepRecord, ...]:
    """The open steps of the last response, whose calls are answered now, and those of calls that came as items.

    Raises Refusal for an answer without its call, and for a call without an answer.
    """
    answers = {item.call.id: item.call for item in items if item.call is not None and item.call.output is not None}
    known = {item.call.id: item.call for item in items if item.call is not None and item.call.output is None}
    awaited = {call.id: call for step in open_steps for call in step.calls if isinstance(call, FunctionCall)}
    for call_id in answers:
        if call_id not in awaited and call_id not in known:
            raise Refusal(f"No tool call found for function call output with call_id {call_id}.", param="input")
    missing = [call_id for call_id, call in (awaited | known).items() if call.output is None and call_id not in answers]
    if missing:
        raise Refusal(f"No tool output found for function call {missing[0]}.", param="input")
    steps = [_copy(engine, run, step, answers) for step in open_steps]
    given = tuple(
        replace(call, output=answers[call_id].output) for call_id, call in known.items() if call_id not in awaited
    )
    # Whether the answers are news: what was said after them has made use of them.
    if given and items[-1].call is not None:
        steps.append(_close(engine, replace(new_step(engine, run), calls=given)))
    return tuple(steps)


def _open_steps(engine: Engine, last: ResponseRecord | None) -> tuple[StepRecord, ...]:
    """The calls of a response that has called functions and not come to an answer."""
    steps = engine.store.children(StepRecord, last.run_id) if last is not None else ()
    calling = tuple(step for step in steps if step.calls)
    return calling if any(step.open_calls for step in calling) else ()


def _copy(engine: Engine, run: RunRecord, step: StepRecord, answers: Mapping[str, FunctionCall]) -> StepRecord:
    copied = replace(step, id=engine.new_id(IdKind.STEP), run_id=run.id, thread_id=run.thread_id, tokens=Tokens())
    return _close(engine, answer_calls(copied, answers))


def _close(engine: Engine, step: StepRecord) -> StepRecord:
    return replace(step, state=StepState.COMPLETED, ended_at=engine.now())


def create_conversation(engine: Engine, items: Sequence[NewItem], metadata: Mapping[str, str]) -> ConversationRecord:
    with engine.store.transaction():
        conversation = ConversationRecord(
            id=engine.new_id(IdKind.CONVERSATION),
            created_at=engine.now(),
            thread_id=create_thread(engine, NewThread()).id,
            metadata=metadata,
        )
        engine.store.insert(conversation)
        keep_items(engine, conversation.thread_id, items)
    return conversation


def add_items(engine: Engine, conversation_id: str, items: Sequence[NewItem]) -> tuple[ItemRecord, ...]:
    with engine.store.transaction():
        return keep_items(engine, need(engine, ConversationRecord, conversation_id).thread_id, items)


def delete_conversation(engine: Engine, conversation_id: str) -> None:
    """What was said stays as long as a response builds on it."""
    with engine.store.transaction():
        conversation = need(engine, ConversationRecord, conversation_id)
        engine.store.delete(conversation_id)
        drop_unused_thread(engine, conversation.thread_id)
