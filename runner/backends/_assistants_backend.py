"""What speaks Assistants v2: stored assistants, threads, and runs that are looked at until they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from runner.backends import Deployment, Files, Question, RemoteAssistant
from runner.backends._assistants_answers import build_run, is_settled
from runner.backends._assistants_following import CANCELLING_S, Follower
from runner.backends._assistants_produced import fetch_produced
from runner.backends._assistants_wire import (
    ENDED,
    WireMessage,
    WireRun,
    WireStep,
    assistant_body,
    message_body,
    read_assistant,
    read_message,
    read_run,
    read_step,
    run_settings,
    thread_resources,
)
from runner.backends._files import RemoteFiles
from runner.backends._reading import identifier
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Reply, Request, join_path
from runner.domain.capabilities import Capabilities
from runner.domain.conversation import AssistantId, Run, StoreId, ThreadId
from runner.domain.plan import Kind
from runner.errors import RemoteMissing

STEP_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


class AssistantsBackend:
    """Implements `Backend`."""

    def __init__(self, api: Api, capabilities: Capabilities) -> None:
        self.files: Files = RemoteFiles(api)
        self.capabilities = capabilities
        self._api = api
        self._pace = api.pace
        self._follower = Follower(api)
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
        followed = await self._follower.follow(await self._start(question), question)
        run = followed.run
        messages, steps = await self._read_results(run) if followed.is_readable else ((), ())
        duration_s = self._pace.clock() - started
        files = await fetch_produced(self._api, run.id, messages, steps)
        return replace(build_run(run, messages, steps, answers=followed.answers, duration_s=duration_s), files=files)

    async def cancel_runs(self, thread_id: ThreadId) -> None:
        path = join_path("threads", thread_id, "runs")
        request = Request(doing=f"looking for runs of the thread {thread_id}", path=path, budget_s=CANCELLING_S)
        try:
            runs = await self._api.list_all(request, read_run)
        except RemoteMissing:
            return
        active = [run for run in runs if run.status not in ENDED]
        await asyncio.gather(*(self._follower.cancel(run) for run in active))

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
            body={"assistant_id": assistant_id, "thread": thread, **run_settings(question.deployment.assistant)},
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
            **run_settings(question.deployment.assistant),
        }
        path = join_path("threads", thread_id, "runs")
        return await self._api.post(Request(doing=doing, path=path, body=body, budget_s=budget_s), read_run)

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
