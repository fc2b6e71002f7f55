"""What speaks the Responses API: a thread is a conversation, a chain of responses, or a history of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING, NoReturn

from runner.backends import Backend, BatchState, Capabilities, Endpoint, Files, Question, RemoteAssistant, TakeAnswer
from runner.backends._files import RemoteFiles, Stores, download
from runner.backends._json_fields import identifier
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Request, join_path, opening
from runner.backends.responses import CAPABILITIES, REPLAY_CAPABILITIES
from runner.backends.responses.bodies import Body, Material, definition_body, question_item
from runner.backends.responses.model_judge import Judge
from runner.backends.responses.turn import Define, Thread, Turn, cancel_response, request_body
from runner.backends.responses.wire import Produced, Round, WireResponse, build_run, produced_in, read_response
from runner.domain.assistant import History, JudgeChoice, Price, ToolName
from runner.domain.conversation import ProducedFile, Run, ThreadId
from runner.domain.files import FileUse
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing, UsageError

if TYPE_CHECKING:
    from runner.backends.responses.batches import Batches

RESPONSE_PREFIX = "resp"
_ENDS_WITH_ITS_RESPONSE = frozenset({ToolName.FILE_SEARCH.value, ToolName.WEB_SEARCH.value})
"""Tools of which nothing remains on the server, nor asks for more."""


class ResponsesBackend(Backend):
    def __init__(self, api: Api, endpoint: Endpoint, capabilities: Capabilities | None = None) -> None:
        self._replays = endpoint.history is History.REPLAY
        self._remote_files = RemoteFiles(api, Stores.NEVER if self._replays else Stores.ALWAYS)
        self.files: Files = self._remote_files
        self.capabilities = capabilities or (REPLAY_CAPABILITIES if self._replays else CAPABILITIES)
        self._api = api
        in_background = endpoint.background and not self._replays
        self._background = (endpoint.window or "") if in_background else None
        self._threads: dict[ThreadId, Thread] = {}
        self._numbers = count(1)

    async def list_assistants(self, *, in_full: bool = False) -> tuple[RemoteAssistant, ...]:  # noqa: ARG002 - no drafts here
        return ()

    async def create_assistant(self, *_: object, **__: object) -> NoReturn:
        raise RemoteError("this API stores no assistants: a definition travels with each request")

    update_assistant = tag_assistant = delete_assistant = create_assistant

    async def ask(self, question: Question) -> Run:
        return await self.ask_of(question, _define_with(question), leaves_nothing=self._leaves_nothing(question))

    async def ask_of(self, question: Question, define: Define, *, leaves_nothing: bool = False) -> Run:
        """Like `ask`, of whom `define` says; it is asked for each response anew."""
        started = self._api.pace.clock()
        self._check(question)
        if leaves_nothing:
            thread = Thread(own_id=ThreadId(f"unstored-{next(self._numbers)}"), is_stored=False)
        else:
            thread = await self._thread_of(question)
        thread.code_file_ids += [file_id for file_id, use in question.attachments if use is FileUse.CODE_INTERPRETER]
        turn = Turn(self._api, question, define, thread, background=self._background)
        try:
            rounds = await turn.play(self._remote_files.name_of)
        finally:
            if thread.id is not None:
                self._threads[thread.id] = thread
        files = await asyncio.gather(*(self._download(one) for one in produced_in(rounds)))
        assert thread.id is not None, "there is a response, or a history of our own"
        return build_run(thread.id, rounds, tuple(files), duration_s=self._api.pace.clock() - started)

    def as_judge(self, chosen: JudgeChoice, prices: Mapping[str, Price], *, is_openai: bool) -> Judge:
        """What answers questions about answers, by the same connection; `prices` are the project's own."""
        return Judge(
            api=self._api,
            model=chosen.model,
            uses_decisions=chosen.uses_decisions,
            is_openai=is_openai,
            prices=prices,
        )

    @cached_property
    def _batches(self) -> Batches:
        from runner.backends.responses.batches import Batches

        return Batches(self._api)

    async def start_batch(self, label: str, questions: Mapping[str, Question]) -> str:
        bodies: dict[str, Body] = {}
        for key, question in questions.items():
            thread = Thread(is_stored=not self._leaves_nothing(question))
            items = [question_item(question, self._remote_files.name_of)]
            bodies[key] = await request_body(question, _define_with(question), thread, items)
        return await self._batches.start(label, bodies, next(iter(questions.values())).tags)

    async def look_at_batch(self, batch_id: str) -> BatchState:
        return await self._batches.look_at(batch_id)

    async def find_batches(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        return await self._batches.find(tags)

    async def read_batch(self, batch_id: str) -> Mapping[str, TakeAnswer]:
        return {key: partial(self._take, line) for key, line in (await self._batches.read(batch_id)).items()}

    async def delete_batch(self, batch_id: str) -> None:
        await self._batches.delete(batch_id)
        self._api.note_deleted(Kind.BATCH, batch_id)

    async def _take(self, line: WireResponse | RemoteError) -> Run:
        """The thread goes on from a response that stays the batch's: a play that is cut off finds it again."""
        if isinstance(line, RemoteError):
            raise line
        if line.waits_for_us:
            message = "the assistant asks for something that nobody answers in a batch"
            line = replace(line, status="failed", error=message)
        thread = Thread(own_id=ThreadId(line.id), last_response_id=line.id)
        thread.note_containers(self._api, line.id, line.container_ids)
        self._threads[ThreadId(line.id)] = thread
        rounds = (Round(response=line),)
        files = await asyncio.gather(*(self._download(one) for one in produced_in(rounds)))
        return build_run(ThreadId(line.id), rounds, tuple(files), duration_s=None)

    async def delete_thread(self, thread_id: ThreadId) -> None:
        thread = self._threads.pop(thread_id, None) or _thread_elsewhere(thread_id)
        for response_id in thread.response_ids:
            if response_id in thread.running:
                await self._stop(thread, response_id)
            path = join_path("responses", response_id)
            await self._api.delete(f"deleting the response {response_id}", path, Kind.RESPONSE, response_id)
        if thread.conversation_id is not None:
            await self._delete_conversation(thread.conversation_id)
        for container_id in thread.container_ids:
            # Made by the server for this thread alone. What stays is in the journal, and is tried once more.
            with suppress(RemoteError):
                await self.delete_container(container_id)

    async def _stop(self, thread: Thread, response_id: str) -> None:
        """Cancel a response, where that can be; its server may have made a container of which we did not hear."""
        if self._background is not None:
            await cancel_response(self._api, thread, response_id)
        else:
            with suppress(RemoteError):
                container_ids, _ = await self.find_containers(response_id)
                thread.note_containers(self._api, response_id, container_ids)
        thread.running.discard(response_id)

    async def find_containers(self, response_id: str) -> tuple[tuple[str, ...], bool]:
        request = Request(doing=f"reading the response {response_id}", path=join_path("responses", response_id))
        response = (await self._api.get(request, read_response)).value
        return response.container_ids, response.is_over

    async def delete_container(self, container_id: str) -> None:
        path = join_path("containers", container_id)
        await self._api.delete(f"deleting the container {container_id}", path, Kind.CONTAINER, container_id)

    def _check(self, question: Question) -> None:
        """Raises UsageError for what a server without a memory can't be asked."""
        deployment = question.deployment
        tools = deployment.assistant.tool_names - self.capabilities.tools
        if tools:
            names = ", ".join(sorted(tools))
            raise UsageError(f"'{deployment.assistant.address}' has tools that this target does not offer: {names}")

    def _leaves_nothing(self, question: Question) -> bool:
        """Whether one response is all there is to it, so that the server can do without it afterwards.

        Functions and approvals go on from a stored response, what is in the background is read again from it, and it
        tells whoever cleans up after a kill which container was made.
        """
        is_whole = question.may_be_forgotten and question.is_last and question.thread_id is None
        assistant = question.deployment.assistant
        goes_on = bool(assistant.functions) or not assistant.tool_names <= _ENDS_WITH_ITS_RESPONSE
        return is_whole and not goes_on and self._background is None and not self._replays

    async def _thread_of(self, question: Question) -> Thread:
        if question.thread_id is not None:
            return self._threads.get(question.thread_id) or _thread_elsewhere(question.thread_id)
        if self._replays:
            return Thread(own_id=ThreadId(f"replay-{next(self._numbers)}"), remembers_itself=True)
        if question.is_last:
            return Thread()
        address = question.deployment.assistant.address
        request = Request(
            doing=f"creating a conversation with '{address}'",
            path="/conversations",
            body={"metadata": dict(question.tags)},
            budget_s=min(REQUEST_BUDGET_S, question.deadline_s),
        )
        creation = Creation(kind=Kind.CONVERSATION, label=address, tags=question.tags)
        return Thread(conversation_id=(await self._api.create(request, creation, identifier)).value)

    async def _delete_conversation(self, conversation_id: str) -> None:
        """The items first: they outlive their conversation, and could not be found without it."""
        doing = f"deleting the conversation {conversation_id}"
        path = join_path("conversations", conversation_id)
        try:
            item_ids = await self._api.list_all(Request(doing=doing, path=f"{path}/items"), identifier)
        except RemoteMissing:
            item_ids = ()
        for item_id in item_ids:
            await self._api.delete(doing, f"{path}{join_path('items', item_id)}")
        await self._api.delete(doing, path, Kind.CONVERSATION, conversation_id)

    async def _download(self, file: Produced) -> ProducedFile:
        """The container goes after 20 idle minutes, and its files with it."""
        path = join_path("containers", file.container_id, "files", file.file_id, "content")
        return await download(self._api, file.filename, path)


def _define_with(question: Question) -> Define:
    async def define(material: Material) -> Body:
        return definition_body(question.deployment.assistant, material)

    return define


def _thread_elsewhere(thread_id: ThreadId) -> Thread:
    """A thread, or a part of one, that another process began, or that is half deleted: its id tells what it is."""
    if thread_id.startswith(RESPONSE_PREFIX):
        return Thread(response_ids=[thread_id], last_response_id=thread_id)
    return Thread(conversation_id=thread_id)


open_backend = opening({}, ResponsesBackend)
