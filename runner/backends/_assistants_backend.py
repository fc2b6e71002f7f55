"""What speaks Assistants v2: stored assistants, threads, and runs that are looked at until they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from runner.backends import Deployment, Files, Question, RemoteAssistant
from runner.backends._assistants_answers import build_run, is_settled
from runner.backends._assistants_wire import (
    ENDED,
    WAITS_FOR_FUNCTIONS,
    WireMessage,
    WireRun,
    WireStep,
    assistant_body,
    message_body,
    read_assistant,
    read_message,
    read_run,
    read_step,
    thread_resources,
)
from runner.backends._files import RemoteFiles
from runner.backends._reading import identifier
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Reply, Request, join_path
from runner.backends._waiting import Deadline, Rhythm
from runner.domain.capabilities import Capabilities
from runner.domain.conversation import AssistantId, Run, RunStatus, StoreId, ThreadId
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing

CANCELLING_S = 5.0
STEP_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


class AssistantsBackend:
    """Implements `Backend`."""

    def __init__(self, api: Api, capabilities: Capabilities) -> None:
        self.files: Files = RemoteFiles(api)
        self.capabilities = capabilities
        self._api = api
        self._pace = api.pace
        self._rhythm = Rhythm(api.pace.fastest_look_s)
        self._thread_stores: dict[ThreadId, StoreId | None] = {}

    async def list_assistants(self) -> tuple[RemoteAssistant, ...]:
        request = Request(doing="listing the assistants", path="/assistants", query={"order": "asc"})
        return await self._api.list_all(request, read_assistant)

    async def create_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        address = deployment.assistant.address
        request = Request(
            doing=f"creating the assistant '{address}'",
            path="/assistants",
            body=assistant_body(deployment, metadata, resets=False),
        )
        creation = Creation(kind=Kind.ASSISTANT, label=address, tags=metadata)
        return (await self._api.create(request, creation, read_assistant)).value

    async def update_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        request = Request(
            doing=f"updating the assistant '{deployment.assistant.address}'",
            path=join_path("assistants", _id_of(deployment)),
            body=assistant_body(deployment, metadata, resets=True),
        )
        return (await self._api.post(request, read_assistant)).value

    async def tag_assistant(self, assistant_id: AssistantId, metadata: Mapping[str, str]) -> RemoteAssistant:
        path = join_path("assistants", assistant_id)
        request = Request(doing=f"tagging the assistant {assistant_id}", path=path, body={"metadata": dict(metadata)})
        return (await self._api.post(request, read_assistant)).value

    async def delete_assistant(self, assistant_id: AssistantId) -> None:
        path = join_path("assistants", assistant_id)
        await self._api.delete(f"deleting the assistant {assistant_id}", path, Kind.ASSISTANT, assistant_id)

    async def ask(self, question: Question) -> Run:
        started = self._pace.clock()
        run = await self._wait(await self._start(question), question.deadline_s)
        if run.status in ENDED:
            messages, steps = await self._read_results(run)
        elif run.status == WAITS_FOR_FUNCTIONS:
            await self._cancel(run)
            messages, steps = await self._read_results(run)
        else:
            run = await self._give_up(run, self._pace.clock() - started)
            messages, steps = (), ()
        return build_run(run, messages, steps, duration_s=self._pace.clock() - started)

    async def cancel_runs(self, thread_id: ThreadId) -> None:
        path = join_path("threads", thread_id, "runs")
        request = Request(doing=f"looking for runs of the thread {thread_id}", path=path, budget_s=CANCELLING_S)
        try:
            runs = await self._api.list_all(request, read_run)
        except RemoteMissing:
            return
        active = [run for run in runs if run.status not in ENDED]
        await asyncio.gather(*(self._cancel(run) for run in active))

    async def delete_thread(self, thread_id: ThreadId) -> None:
        path = join_path("threads", thread_id)
        await self._api.delete(f"deleting the thread {thread_id}", path, Kind.THREAD, thread_id)
        self._thread_stores.pop(thread_id, None)

    async def _start(self, question: Question) -> Reply[WireRun]:
        """Put the question and start a run on it: one request, or two where the thread gets its store only now."""
        assistant_id = _id_of(question.deployment)
        budget_s = min(REQUEST_BUDGET_S, question.deadline_s)
        address = question.deployment.assistant.address
        if question.thread_id is not None:
            return await self._continue(question, question.thread_id, budget_s)
        thread = {
            "messages": [message_body(question)],
            "metadata": dict(question.tags),
            **thread_resources(question.store_id),
        }
        request = Request(
            doing=f"asking '{address}' in a new thread",
            path="/threads/runs",
            body={"assistant_id": assistant_id, "thread": thread},
            budget_s=budget_s,
        )
        creation = Creation(kind=Kind.THREAD, label=address, tags=question.tags, id_field="thread_id")
        reply = await self._api.create(request, creation, read_run)
        self._thread_stores[reply.value.thread_id] = question.store_id
        return reply

    async def _continue(self, question: Question, thread_id: ThreadId, budget_s: float) -> Reply[WireRun]:
        doing = f"asking '{question.deployment.assistant.address}' in the thread {thread_id}"
        if question.store_id is not None and self._thread_stores.get(thread_id) != question.store_id:
            path = join_path("threads", thread_id)
            request = Request(doing=doing, path=path, body=thread_resources(question.store_id), budget_s=budget_s)
            await self._api.post(request, identifier)
            self._thread_stores[thread_id] = question.store_id
        body = {
            "assistant_id": _id_of(question.deployment),
            "additional_messages": [message_body(question)],
        }
        path = join_path("threads", thread_id, "runs")
        return await self._api.post(Request(doing=doing, path=path, body=body, budget_s=budget_s), read_run)

    async def _wait(self, reply: Reply[WireRun], deadline_s: float) -> WireRun:
        """The run when it is over, or as it was last seen when the time is: unknown statuses count as not over."""
        pace = self._pace
        started = pace.clock()
        deadline = Deadline.after(deadline_s, pace.clock)
        looks, paused_s = 0, 0.0
        while not reply.value.is_over and deadline.left_s() > 0:
            pause_s = self._rhythm.pause_s(reply.poll_after_s, pace.clock() - started)
            await pace.sleep(min(pause_s, deadline.left_s()))
            # The last look may end a little late: better than to take a finished run for one that hangs.
            reply = await self._look(reply.value, min(REQUEST_BUDGET_S, deadline.left_s() + CANCELLING_S))
            looks, paused_s = looks + 1, paused_s + pause_s
        if looks and reply.value.is_over:
            self._rhythm.learn(looks, paused_s)
        return reply.value

    async def _look(self, run: WireRun, budget_s: float) -> Reply[WireRun]:
        path = join_path("threads", run.thread_id, "runs", run.id)
        return await self._api.get(
            Request(doing=f"waiting for the run {run.id}", path=path, budget_s=budget_s), read_run
        )

    async def _give_up(self, run: WireRun, waited_s: float) -> WireRun:
        trouble = await self._cancel(run)
        ending = f"and could not be cancelled: {trouble}" if trouble else "and was cancelled"
        error = f"the run was still '{run.status}' after {waited_s:.0f} s, {ending}"
        return replace(run, status=RunStatus.CANCELLED.value, error=error)

    async def _cancel(self, run: WireRun) -> str:
        """Cancel a run and wait until it has stopped; what went wrong is returned: nobody can do anything about it."""
        path = join_path("threads", run.thread_id, "runs", run.id, "cancel")
        request = Request(doing=f"cancelling the run {run.id}", path=path, budget_s=CANCELLING_S)
        try:
            run = await self._wait(await self._api.post(request, read_run), CANCELLING_S)
        except RemoteError as error:
            return str(error)
        return "" if run.status in ENDED else f"it was '{run.status}' {CANCELLING_S:.0f} s later"

    async def _read_results(self, run: WireRun) -> tuple[tuple[WireMessage, ...], tuple[WireStep, ...]]:
        messages, steps = await self._read_once(run)
        if is_settled(run, messages, steps):
            return messages, steps
        # The service reports "completed" before the last step is listed. Re-read once.
        await self._pace.sleep(self._pace.fastest_look_s)
        return await self._read_once(run)

    async def _read_once(self, run: WireRun) -> tuple[tuple[WireMessage, ...], tuple[WireStep, ...]]:
        doing = f"reading the results of the run {run.id}"
        messages = Request(
            doing=doing,
            path=join_path("threads", run.thread_id, "messages"),
            query={"run_id": run.id, "order": "asc"},
        )
        steps = Request(
            doing=doing,
            path=join_path("threads", run.thread_id, "runs", run.id, "steps"),
            query={"order": "asc", "include": [STEP_CONTENT]},
        )
        return await asyncio.gather(self._api.list_all(messages, read_message), self._api.list_all(steps, read_step))


def _id_of(deployment: Deployment) -> AssistantId:
    if deployment.assistant_id is None:
        raise ValueError(f"'{deployment.assistant.address}' is not stored: this API runs stored assistants only")
    return deployment.assistant_id
