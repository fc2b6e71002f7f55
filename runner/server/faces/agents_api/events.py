"""Sessions, turns and items as they are shown, and the stream of what changes in them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from itertools import count

from runner.server.engine.core import Engine
from runner.server.engine.runs.runs import active_run, sweep
from runner.server.engine.sessions import WORKSPACE, messages_of, open_calls
from runner.server.engine.state.records import (
    FunctionCall,
    ImagePart,
    MessageRecord,
    RunRecord,
    RunState,
    SessionRecord,
    StepRecord,
    ToolCall,
)
from runner.server.engine.state.store import Damaged
from runner.server.faces.agents_api.agents import render_definition
from runner.server.faces.agents_api.environments import render_environment
from runner.server.wire.fields import Json
from runner.server.wire.replies import DECLINED, render_usage, unix_seconds, write_event

_STATUSES = {
    RunState.QUEUED: "queued",
    RunState.IN_PROGRESS: "in_progress",
    RunState.REQUIRES_ACTION: "waiting",
    RunState.CANCELLING: "in_progress",
    RunState.CANCELLED: "cancelled",
    RunState.COMPLETED: "completed",
    RunState.EXPIRED: "failed",
    RunState.FAILED: "failed",
    RunState.INCOMPLETE: "failed",
}
_CODES = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "max_completion_tokens": "max_output_tokens",
    "invalid_prompt": "invalid_request",
}


def render_session(engine: Engine, session: SessionRecord) -> Json:
    runs = engine.store.children(RunRecord, session.thread_id)
    run = active_run(engine, session.thread_id)
    actions = [_render_action(run, call) for call in open_calls(engine, run)] if run else []
    status = "idle" if run is None else "requires_action" if actions else "in_progress"
    declined = runs[-1].id if runs and run is None and _is_declined(engine, runs[-1]) else None
    return {
        "id": session.id,
        "object": "agent.session",
        "created_at": unix_seconds(session.created_at),
        "last_active_at": unix_seconds(session.active_at),
        "agent": render_definition(session.agent),
        "environment": render_environment(engine, session),
        "error": None,
        "metadata": {**session.metadata, **({DECLINED: declined} if declined else {})},
        "required_actions": actions,
        "status": status,
        "usage": None,
        "vault_ids": [],
    }


def _is_declined(engine: Engine, run: RunRecord) -> bool:
    messages = engine.store.children(MessageRecord, run.thread_id)
    return any(message.declined for message in messages if message.run_id == run.id)


def _render_action(run: RunRecord, call: FunctionCall) -> Json:
    return {
        "type": "function_call",
        "turn_id": run.id,
        "call_id": call.id,
        "name": call.name,
        "arguments": _as_json(call.arguments),
    }


def _as_json(arguments: str) -> object:
    """What a model wrote may be no JSON; then it is shown as it is."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def render_turn(session: SessionRecord, run: RunRecord) -> Json:
    is_counted = not run.state.is_active and not run.tokens.uncounted
    return {
        "id": run.id,
        "object": "agent.session.turn",
        "agent_id": session.agent.id,
        "session_id": session.id,
        "subagent_id": None,
        "created_at": unix_seconds(run.created_at),
        "started_at": unix_seconds(run.started_at),
        "completed_at": unix_seconds(run.ended_at),
        "status": _STATUSES[run.state],
        "error": _render_error(run),
        "usage": render_usage(run.tokens.input, run.tokens.output) if is_counted else None,
    }


def _render_error(run: RunRecord) -> Json | None:
    if _STATUSES[run.state] != "failed":
        return None
    if run.state is RunState.EXPIRED:
        return {"code": "request_timeout", "message": "The turn took too long, and was stopped."}
    code, message = (run.failure.code, run.failure.message) if run.failure else ("server_error", "It failed.")
    return {"code": _CODES.get(code, "server_error"), "message": message or code}


def render_items(engine: Engine, run: RunRecord) -> list[Json]:
    """What was asked, called and said in a turn, in this order."""
    items = [_render_question(message, run) for message in messages_of(engine, run)]
    for step in engine.store.children(StepRecord, run.id):
        for call in step.calls:
            items += _render_call(call, run) if isinstance(call, FunctionCall) else [_render_command(call, run)]
        message = engine.store.find(MessageRecord, step.message_id) if step.message_id else None
        if message is not None:
            items.append(_render_answer(message, run))
    return items


def _render_question(message: MessageRecord, run: RunRecord) -> Json:
    content: list[Json] = [
        {"type": "input_image", "image_url": part.url or ""}
        if isinstance(part, ImagePart)
        else {"type": "input_text", "text": part.text}
        for part in message.parts
    ]
    head = {"id": message.id, "type": "message", "role": "user", "status": "completed"}
    return {**head, "turn_id": run.id, "content": content}


def _render_answer(message: MessageRecord, run: RunRecord) -> Json:
    texts = [part.text for part in message.parts if not isinstance(part, ImagePart)]
    return {
        "id": message.id,
        "type": "message",
        "role": "assistant",
        "phase": "final_answer",
        "status": message.state.value,
        "turn_id": run.id,
        "content": [{"type": "output_text", "text": text} for text in texts],
    }


def _render_call(call: FunctionCall, run: RunRecord) -> Iterator[Json]:
    suffix = call.id.removeprefix("call_")
    shared = {"call_id": call.id, "turn_id": run.id}
    ending = "failed" if call.is_error else "completed"
    status = ending if call.output is not None else "in_progress" if run.state.is_active else "incomplete"
    yield {
        "id": f"fc_{suffix}",
        "type": "function_call",
        **shared,
        "name": call.name,
        "arguments": _as_json(call.arguments),
        "status": status,
    }
    if call.output is not None:
        yield {
            "id": f"fco_{suffix}",
            "type": "function_call_output",
            **shared,
            "output": None if call.is_error else call.output,
            "error": call.output if call.is_error else None,
            "status": status,
        }


def _render_command(call: ToolCall, run: RunRecord) -> Json:
    """Code of a hosted environment."""
    is_over = call.completed is not None
    ending = "completed" if call.completed else "failed" if is_over else "incomplete"
    return {
        "id": f"cmd_{call.id.removeprefix('call_')}",
        "type": "command_execution",
        "turn_id": run.id,
        "command": call.code,
        "cwd": WORKSPACE,
        "exit_code": (0 if call.completed else 1) if is_over else None,
        "output": call.output if is_over else None,
        "duration_ms": None,
        "status": "in_progress" if not is_over and run.state.is_active else ending,
    }


class SessionEvents:
    """What has changed in a session since the last look, as events; what was there before the first is no news."""

    def __init__(self, engine: Engine, session: SessionRecord, *, from_start: bool = False) -> None:
        self._engine = engine
        self._session = session
        self._told: set[str] = set()
        self._numbers = count(1)
        if from_start:
            self._news = [self._event("agent.session.created", session=render_session(engine, session))]
        else:
            self._news = []
            for _ in self._look():
                pass

    def take(self) -> list[Json]:
        """Raises Missing if the session is gone."""
        news, self._news = [*self._news, *self._look()], []
        return news

    def _event(self, kind: str, **fields: object) -> Json:
        return {"type": kind, "event_id": f"evt_{self._session.id}_{next(self._numbers)}", **fields}

    def _is_new(self, *key: str) -> bool:
        told = "/".join(key)
        is_new = told not in self._told
        self._told.add(told)
        return is_new

    def _look(self) -> Iterator[Json]:
        for run in self._engine.store.children(RunRecord, self._session.thread_id):
            turn = render_turn(self._session, run)
            if self._is_new(run.id, "created"):
                yield self._turn_event("created", {**turn, "status": "queued"})
                yield self._session_event("in_progress")
            if run.state is not RunState.QUEUED and self._is_new(run.id, "in_progress"):
                yield self._turn_event("in_progress", {**turn, "status": "in_progress"})
            yield from self._look_at_items(run)
            if run.state is RunState.REQUIRES_ACTION:
                waiting = ",".join(call.id for call in open_calls(self._engine, run))
                if waiting and self._is_new(run.id, "requires_action", waiting):
                    yield self._session_event("requires_action")
            if not run.state.is_active and self._is_new(run.id, "ended"):
                yield self._turn_event(_STATUSES[run.state], turn)
                yield self._session_event("idle")

    def _session_event(self, status: str) -> Json:
        body = {**render_session(self._engine, self._session), "status": status}
        return self._event(f"agent.session.{status}", session=body)

    def _turn_event(self, name: str, turn: Json) -> Json:
        ending = {"usage": turn["usage"]} if name in ("completed", "failed", "cancelled") else {}
        return self._event(
            f"agent.session.turn.{name}", session_id=self._session.id, turn_id=turn["id"], turn=turn, **ending
        )

    def _look_at_items(self, run: RunRecord) -> Iterator[Json]:
        index = -1
        items = render_items(self._engine, run)
        answered = {item["call_id"] for item in items if item["type"] == "function_call_output"}
        waits = run.state is RunState.REQUIRES_ACTION or not run.state.is_active
        for item in items:
            if item["type"] == "function_call" and not waits and item["call_id"] not in answered:
                return  # told together with the session's `requires_action`: who hears of it may answer at once
            is_output = item["type"] in ("function_call", "command_execution") or item.get("role") == "assistant"
            index += is_output
            place: Json = {"session_id": self._session.id, "turn_id": run.id}
            if is_output:
                place["output_index"] = index
            if self._is_new(str(item["id"]), "added"):
                begun = {**item, "status": "in_progress"} if is_output else item
                if item.get("role") == "assistant":
                    begun["content"] = []
                yield self._event("agent.session.turn.item.added", item=begun, **place)
            if is_output and item["status"] != "in_progress" and self._is_new(str(item["id"]), "done"):
                if item["type"] == "message":
                    yield from self._tell_text(item, place)
                yield self._event("agent.session.turn.item.done", item=item, **place)

    def _tell_text(self, item: Json, place: Json) -> Iterator[Json]:
        content = item["content"]
        assert isinstance(content, list), "a message's content is a list"
        for number, part in enumerate(content):
            where = {**place, "item_id": item["id"], "content_index": number}
            prefix = "agent.session.turn"
            yield self._event(f"{prefix}.content_part.added", part={"type": "output_text", "text": ""}, **where)
            yield self._event(f"{prefix}.output_text.delta", delta=part["text"], **where)
            yield self._event(f"{prefix}.output_text.done", text=part["text"], **where)
            yield self._event(f"{prefix}.content_part.done", part=part, **where)


async def stream_session(
    engine: Engine, session: SessionRecord, events: SessionEvents, *, until_idle: bool = False
) -> AsyncIterator[bytes]:
    """Everything from now on, until the session is gone, or has nothing more to do."""
    yield b": connected\n\n"
    news = asyncio.Event()
    followed: set[str] = set()
    with ExitStack() as listening:
        while engine.store.find(SessionRecord, session.id) is not None:
            runs = {run.id for run in engine.store.children(RunRecord, session.thread_id)}
            for object_id in {session.thread_id, *runs} - followed:
                listening.callback(engine.feed.subscribe(object_id, lambda _: news.set()))
                followed.add(object_id)
            news.clear()
            for event in events.take():
                yield write_event(str(event["type"]), event)
                if until_idle and event["type"] == "agent.session.idle":
                    return
            try:
                await asyncio.wait_for(news.wait(), engine.lifetimes.renewal_s)
            except TimeoutError:
                # What another process does is told to nobody here; and it may have died.
                with suppress(sqlite3.Error, Damaged):
                    sweep(engine)
