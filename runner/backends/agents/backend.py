"""What speaks the Agents API: stored agents, sessions, and turns that are looked at until they have ended."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from runner.backends import Files, Question, RemoteThread
from runner.backends._files import RemoteFiles, Stores, download
from runner.backends._requests import REQUEST_BUDGET_S, Api, Creation, Request, join_path, opening
from runner.backends._stored import StoringBackend
from runner.backends._waiting import Rhythm
from runner.backends.agents import CAPABILITIES
from runner.backends.agents.turn import CANCELLING_S, Session, Turn, send_cancel
from runner.backends.agents.wire import (
    WORKSPACE,
    agent_body,
    definition_body,
    question_content,
    read_agent,
    read_artifact,
    read_session,
    read_thread,
    user_message,
)
from runner.domain.conversation import FileId, ProducedFile, Run, ThreadId
from runner.domain.files import IMAGE_TYPES, FileUse, file_type
from runner.domain.plan import Kind
from runner.errors import RemoteError, UsageError

_BUSY = 409
_MEDIA = {"jpg": "jpeg"}


class AgentFiles(RemoteFiles):
    """Images stay here: this API takes them within the question alone. Everything else is uploaded."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, Stores.NEVER)
        self._images: dict[FileId, str] = {}
        self._numbers = count(1)

    async def upload_file(
        self,
        path: Path,
        name: str,
        use: FileUse,
        *,
        expires_after_days: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> FileId:
        kind = file_type(name)
        if use is not FileUse.INPUT or kind not in IMAGE_TYPES:
            return await super().upload_file(path, name, use, expires_after_days=expires_after_days, progress=progress)
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise UsageError(f"'{name}' can't be read: {error.strerror}") from error
        file_id = FileId(f"image-{next(self._numbers)}")
        encoded = base64.b64encode(content).decode("ascii")
        self._images[file_id] = f"data:image/{_MEDIA.get(kind, kind)};base64,{encoded}"
        return file_id

    def image_of(self, file_id: FileId) -> str | None:
        """The data URL of an image that was kept here."""
        return self._images.get(file_id)

    async def delete_file(self, file_id: FileId) -> None:
        if self._images.pop(file_id, None) is None:
            await super().delete_file(file_id)


class AgentsBackend(StoringBackend):
    capabilities = CAPABILITIES

    def __init__(self, api: Api) -> None:
        super().__init__(api, "agent", agent_body, read_agent)
        self._remote_files = AgentFiles(api)
        self.files: Files = self._remote_files
        self._rhythm = Rhythm(api.pace.fastest_look_s)
        self._sessions: dict[ThreadId, Session] = {}

    async def ask(self, question: Question) -> Run:
        turn = Turn(self._api, question, self._rhythm)
        if question.thread_id is None:
            session = await self._start(question)
        else:
            session = await self._go_on(turn, question, question.thread_id)
        played = await turn.play(session)
        files = await self._fetch_artifacts(session, played.id) if session.environment_id else ()
        return turn.build_run(session, played, files)

    async def delete_thread(self, thread_id: ThreadId) -> None:
        """A session at work refuses to be deleted; it is told to stop, and asked again."""
        doing, path = f"deleting the session {thread_id}", join_path("agents", "sessions", thread_id)
        pace = self._api.pace
        until = pace.clock() + CANCELLING_S
        while True:
            try:
                await self._api.delete(doing, path, Kind.THREAD, thread_id)
            except RemoteError as error:
                if error.status != _BUSY or pace.clock() >= until:
                    raise
                with suppress(RemoteError):
                    await send_cancel(self._api, thread_id)
                await pace.sleep(pace.fastest_look_s)
            else:
                self._sessions.pop(thread_id, None)
                return

    async def find_threads(self, tags: Mapping[str, str]) -> tuple[RemoteThread, ...] | None:
        query = {"order": "asc", **{f"metadata[{key}]": value for key, value in tags.items()}}
        request = Request(doing="looking for sessions of the play", path="/agents/sessions", query=query)
        listed = await self._api.list_all(request, read_thread)
        # A server that doesn't know how to choose lists other people's, too.
        return tuple(one for one in listed if tags.items() <= one.metadata.items())

    async def _start(self, question: Question) -> Session:
        """A session with the question in it; its environment is hosted where a document has to lie somewhere."""
        deployment = question.deployment
        address = deployment.assistant.address
        paths: dict[FileId, str] = {}
        content = self._content_of(question, paths)
        environment: dict[str, object] = {"type": "none"}
        if paths or question.documents_follow:
            files = [_file_body(file_id, path) for file_id, path in paths.items()]
            environment = {"type": "openai_hosted", "files": files}
        if deployment.assistant_id is None:
            agent: dict[str, object] = {"agent": definition_body(deployment.assistant)}
        else:
            agent = {"agent_id": deployment.assistant_id}
        request = Request(
            doing=f"asking '{address}' in a new session",
            path="/agents/sessions",
            body={
                **agent,
                "environment": environment,
                "input": [user_message(content)],
                "metadata": dict(question.tags),
            },
            budget_s=min(REQUEST_BUDGET_S, question.deadline_s),
        )
        creation = Creation(kind=Kind.THREAD, label=address, tags=question.tags)
        reply = await self._api.create(request, creation, read_session)
        session = Session(id=ThreadId(reply.value.id), environment_id=reply.value.environment_id, paths=paths)
        self._sessions[session.id] = session
        return session

    async def _go_on(self, turn: Turn, question: Question, thread_id: ThreadId) -> Session:
        session = self._sessions.get(thread_id) or Session(id=thread_id)
        known = set(session.paths)
        content = self._content_of(question, session.paths)
        await turn.wait_until_idle(session)
        for file_id, path in session.paths.items():
            if file_id not in known:
                await self._bring(session, file_id, path)
        await turn.send(session, content)
        return session

    async def _bring(self, session: Session, file_id: FileId, path: str) -> None:
        doing = f"bringing {path} into the session {session.id}"
        if session.environment_id is None:
            message = "the session has no files of its own; attach one to the first question as well"
            raise UsageError(self._api.line(doing, message))
        place = join_path("agents", "environments", session.environment_id, "files")
        await self._api.post(Request(doing=doing, path=place, body=_file_body(file_id, path)), dict)

    def _content_of(self, question: Question, known: dict[FileId, str]) -> list[dict[str, object]]:
        """`known` are the paths of files in the session's environment: those of new ones are added."""
        images: list[str] = []
        paths: dict[FileId, str] = {}
        for file_id, _ in question.attachments:
            image = self._remote_files.image_of(file_id)
            if image is not None:
                images.append(image)
            else:
                name = self._remote_files.name_of(file_id) or file_id
                paths[file_id] = known.setdefault(file_id, _new_path(name, set(known.values())))
        return question_content(question.text, images, paths)

    async def _fetch_artifacts(self, session: Session, turn_id: str) -> tuple[ProducedFile, ...]:
        path = join_path("agents", "sessions", session.id, "artifacts")
        doing = f"listing the files that the turn {turn_id} made"
        listed = await self._api.list_all(Request(doing=doing, path=path), read_artifact)
        ours = [one for one in listed if one.turn_id == turn_id]
        places = {one: f"{path}{join_path(one.id, 'content')}" for one in ours}
        return tuple(await asyncio.gather(*(download(self._api, one.name, place) for one, place in places.items())))


def _new_path(name: str, taken: set[str]) -> str:
    """Where a file is put; a name that is taken is made another."""
    clean = name.replace("/", "_").lstrip(".") or "file"
    names = chain([clean], (f"{number}-{clean}" for number in count(2)))
    return next(path for one in names if (path := f"{WORKSPACE}{one}") not in taken)


def _file_body(file_id: FileId, path: str) -> dict[str, object]:
    return {"type": "file_id", "file_id": file_id, "path": path}


open_backend = opening({"OpenAI-Beta": "agents=v1"}, lambda api, _: AgentsBackend(api))
