"""What speaks Assistants v2: stored assistants, threads, and runs that are looked at until they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from runner.backends import Files, Question
from runner.backends._files import RemoteFiles, Stores, download
from runner.backends._json_fields import Json, identifier, optional_text, text
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Reply, Request, join_path, opening
from runner.backends._stored import StoringBackend
from runner.backends._waiting import Deadline, Rhythm, Wait, answer_calls, list_names
from runner.backends.assistants import CAPABILITIES
from runner.backends.assistants.wire import (
    ENDED,
    WAITS_FOR_FUNCTIONS,
    WireMessage,
    WireRun,
    WireStep,
    assistant_body,
    build_run,
    is_settled,
    message_body,
    outputs_body,
    read_assistant,
    read_message,
    read_run,
    read_step,
    run_settings,
    thread_resources,
)
from runner.domain.conversation import (
    FileId,
    FunctionAnswer,
    ProducedFile,
    Run,
    RunStatus,
    StoreId,
    ThreadId,
)
from runner.domain.plan import Kind
from runner.errors import ModelMissing, RemoteError, UnclearOutcome

STEP_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
MAX_ROUNDS = 16
"""Of function calls in one run: what still calls functions then would never end."""
CANCELLING_S = 5.0
LOOP_CODE = "function_loop"
_PURPOSE = "assistants_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A run at its end, whether it came there by itself or was stopped; `answers` to its calls, by their ids."""

    run: WireRun
    answers: Mapping[str, FunctionAnswer] = field(default_factory=dict)
    is_readable: bool = True


class AssistantsBackend(StoringBackend):
    capabilities = CAPABILITIES

    def __init__(self, api: Api) -> None:
        super().__init__(api, "assistant", assistant_body, read_assistant)
        # Where stores are missing, only assistants that search feel it: listing none is the truth.
        self.files: Files = RemoteFiles(api, Stores.PERHAPS)
        self._pace = api.pace
        self._rhythm = Rhythm(api.pace.fastest_look_s)
        self._thread_stores: dict[ThreadId, StoreId | None] = {}
        self._takes_all_at_once = True

    async def ask(self, question: Question) -> Run:
        started = self._pace.clock()
        followed = await self._follow(await self._start(question), question)
        run = followed.run
        messages, steps = await self._read_results(run) if followed.is_readable else ((), ())
        duration_s = self._pace.clock() - started
        files = await fetch_produced(self._api, run.id, messages, steps)
        return replace(build_run(run, messages, steps, answers=followed.answers, duration_s=duration_s), files=files)

    async def delete_thread(self, thread_id: ThreadId) -> None:
        path = join_path("threads", thread_id)
        await self._api.delete(f"deleting the thread {thread_id}", path, Kind.THREAD, thread_id)
        self._thread_stores.pop(thread_id, None)

    async def _start(self, question: Question) -> Reply[WireRun]:
        """Put the question and start a run on it: one request, or two where the thread gets its store only now."""
        assistant_id = question.deployment.stored_id
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
        creation = Creation(
            kind=Kind.THREAD, label=address, tags=question.tags, read_id=partial(identifier, name="thread_id")
        )
        if self._takes_all_at_once:
            try:
                reply = await self._api.create(request, creation, read_run)
            except RemoteError as error:
                if not _lacks_path(error):
                    raise
            else:
                self._thread_stores[reply.value.thread_id] = question.store_id
                return reply
        return await self._start_in_steps(question, budget_s)

    async def _start_in_steps(self, question: Question, budget_s: float) -> Reply[WireRun]:
        """Thread, message and run one by one, for servers that have no request for all of them."""
        address = question.deployment.assistant.address
        request = Request(
            doing=f"creating a thread for '{address}'",
            path="/threads",
            body={"metadata": dict(question.tags), **thread_resources(question.store_id)},
            budget_s=budget_s,
        )
        creation = Creation(kind=Kind.THREAD, label=address, tags=question.tags)
        thread_id = ThreadId((await self._api.create(request, creation, identifier)).value)
        self._thread_stores[thread_id] = question.store_id
        self._takes_all_at_once = False
        return await self._continue(question, thread_id, budget_s)

    async def _continue(self, question: Question, thread_id: ThreadId, budget_s: float) -> Reply[WireRun]:
        doing = f"asking '{question.deployment.assistant.address}' in the thread {thread_id}"
        if question.store_id is not None and self._thread_stores.get(thread_id) != question.store_id:
            path = join_path("threads", thread_id)
            request = Request(doing=doing, path=path, body=thread_resources(question.store_id), budget_s=budget_s)
            await self._api.post(request, identifier)
            self._thread_stores[thread_id] = question.store_id
        body = {"assistant_id": question.deployment.stored_id, **run_settings(question.deployment.assistant)}
        message = message_body(question)
        if self._takes_all_at_once:
            body["additional_messages"] = [message]
        else:
            # Those servers leave out the messages that come with a run, without a word.
            path = join_path("threads", thread_id, "messages")
            await self._api.post(Request(doing=doing, path=path, body=message, budget_s=budget_s), identifier)
        path = join_path("threads", thread_id, "runs")
        await self._api.pass_gate(budget_s)
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

    async def _follow(self, reply: Reply[WireRun], question: Question) -> Followed:
        """The run when it is over; it is stopped if it takes longer than the question allows, or calls without end.

        What a run that was stopped for its time has done is not looked at.
        """
        deadline = Deadline.after(question.deadline_s, self._pace.clock)
        answers: dict[str, FunctionAnswer] = {}
        for rounds in range(MAX_ROUNDS + 1):
            wait = Wait(deadline, question.queue_s)
            run = await self._wait(reply, wait)
            if run.status in ENDED:
                return Followed(run=run, answers=answers)
            if run.status != WAITS_FOR_FUNCTIONS:
                run = await self._give_up(run, *wait.describe(run.status, question.deadline_s))
                return Followed(run=run, answers=answers, is_readable=False)
            if rounds == MAX_ROUNDS:
                names = list_names(run.calls)
                error = f"the assistant still calls {names} after {MAX_ROUNDS} rounds of calls; it was stopped"
                return await self._stop(run, answers, error, LOOP_CODE)
            calls = [call for call in run.calls if call.id not in answers]
            given = await answer_calls(question, calls, deadline)
            if isinstance(given, str):
                return await self._stop(run, answers, given)
            answers |= {call.id: answer for call, answer in zip(calls, given, strict=True)}
            reply = await self._submit(run, answers)
        raise AssertionError("the last round returns")

    async def _cancel(self, run: WireRun) -> str:
        """Cancel a run and wait until it has stopped; what went wrong is returned: nobody can do anything about it."""
        path = join_path("threads", run.thread_id, "runs", run.id, "cancel")
        request = Request(doing=f"cancelling the run {run.id}", path=path, budget_s=CANCELLING_S)
        try:
            reply = await self._api.post(request, read_run)
            run = await self._wait(reply, Wait(Deadline.after(CANCELLING_S, self._pace.clock)))
        except RemoteError as error:
            return str(error)
        return "" if run.status in ENDED else f"it was '{run.status}' {CANCELLING_S:.0f} s later"

    async def _wait(self, reply: Reply[WireRun], wait: Wait) -> WireRun:
        """The run when it is over or waits for functions, or as it was last seen when the time is.

        Unknown statuses count as not over.
        """
        pace = self._pace
        started = pace.clock()
        looks, paused_s = 0, 0.0
        while not reply.value.is_over and (left_s := wait.left_s(reply.value.status)) > 0:
            pause_s = self._rhythm.pause_s(reply.poll_after_s, pace.clock() - started)
            await pace.sleep(min(pause_s, left_s))
            # The last look may end a little late: better than to take a finished run for one that hangs.
            reply = await self._look(reply.value, min(REQUEST_BUDGET_S, left_s + CANCELLING_S))
            looks, paused_s = looks + 1, paused_s + pause_s
        if looks and reply.value.is_over:
            self._rhythm.learn(looks, paused_s)
        return reply.value

    async def _look(self, run: WireRun, budget_s: float) -> Reply[WireRun]:
        path = join_path("threads", run.thread_id, "runs", run.id)
        return await self._api.get(
            Request(doing=f"waiting for the run {run.id}", path=path, budget_s=budget_s), read_run
        )

    async def _submit(self, run: WireRun, answers: Mapping[str, FunctionAnswer]) -> Reply[WireRun]:
        """Hand in the answers to all calls that a run waits for.

        If they were refused, or the reply was lost, the run itself tells what became of it: it may have expired, or
        have them already. If it still waits, they are handed in again.
        """
        path = join_path("threads", run.thread_id, "runs", run.id, "submit_tool_outputs")
        body = outputs_body({call.id: answers[call.id] for call in run.calls})
        request = Request(doing=f"answering the functions of the run {run.id}", path=path, body=body)
        try:
            return await self._api.post(request, read_run)
        except RemoteError as error:
            reply = await self._look(run, REQUEST_BUDGET_S)
            if reply.value.status == WAITS_FOR_FUNCTIONS and not isinstance(error, UnclearOutcome):
                raise
            return reply

    async def _give_up(self, run: WireRun, waited: str, code: str | None) -> WireRun:
        trouble = await self._cancel(run)
        ending = f"and could not be cancelled: {trouble}" if trouble else "and was cancelled"
        error = f"the run was still '{run.status}' after {waited}, {ending}"
        return replace(run, status=RunStatus.CANCELLED.value, error=error, error_code=code)

    async def _stop(
        self, run: WireRun, answers: Mapping[str, FunctionAnswer], error: str, code: str | None = None
    ) -> Followed:
        """The run failed for a reason of ours."""
        await self._cancel(run)
        failed = replace(run, status=RunStatus.FAILED.value, error=error, error_code=code)
        return Followed(run=failed, answers=answers)


def _lacks_path(error: RemoteError) -> bool:
    """Whether a server has no `/threads/runs`, or takes `runs` for a thread's id; a missing assistant is named."""
    return error.status in (404, 405) and not isinstance(error, ModelMissing) and "assistant" not in str(error).lower()


async def fetch_produced(
    api: Api, run_id: str, messages: Sequence[WireMessage], steps: Sequence[WireStep]
) -> tuple[ProducedFile, ...]:
    """The files that a run's answers point to and the images that its code drew, each once."""
    drawn = (image_id for step in steps for call in step.calls for image_id in call.image_ids)
    said = (message for message in messages if message.is_answer and message.run_id == run_id)
    pointed_to = (file_id for message in said for file_id in message.file_ids)
    file_ids = dict.fromkeys((*drawn, *pointed_to))
    files = await asyncio.gather(*(_fetch(api, file_id) for file_id in file_ids))
    return tuple(file for file in files if file is not None)


async def _fetch(api: Api, file_id: FileId) -> ProducedFile | None:
    """None if it is no output, but a file that the code was given: that one is not the run's, and stays."""
    path = join_path("files", file_id)
    try:
        listed = Request(doing=f"reading the file {file_id}", path=path)
        name, purpose = (await api.get(listed, _read_listed)).value
    except RemoteError as error:
        return ProducedFile(name=file_id, problem=str(error))
    if purpose != _PURPOSE:
        return None
    api.note_found(Kind.FILE, file_id, name)
    return await download(api, name, f"{path}/content")


def _read_listed(body: Json) -> tuple[str, object]:
    """The file's name, and its purpose."""
    return optional_text(body, "filename") or text(body, "id"), body.get("purpose")


open_backend = opening({"OpenAI-Beta": "assistants=v2"}, lambda api, _: AssistantsBackend(api))
