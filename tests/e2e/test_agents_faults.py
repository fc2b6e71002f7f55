"""What the client does with sessions that go wrong, or take their time, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from assistants_wire import GUIDE
from backend_talk import CountingGate, hurry
from wire_server import CLOSE, RESET, Seen, refusal, reply, wire_server

from runner.backends import GATE, QUEUED_TOO_LONG, Deployment, Endpoint, Question
from runner.backends.agents.backend import open_backend
from runner.domain.conversation import Ending, FunctionAnswer, RunStatus, ThreadId
from runner.domain.files import FileUse
from runner.domain.plan import Kind
from runner.errors import UnclearOutcome
from runner.journal import Journal

KEY = "sk-canary-1234567890"
INLINE = Deployment(assistant=GUIDE, assistant_id=None)
SAID = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "turn_id": "turn_1",
    "content": [{"type": "output_text", "text": "It is 39.25."}],
}
CALL = {"type": "function_call", "turn_id": "turn_1", "call_id": "call_1", "name": "rate", "arguments": {"to": "EUR"}}


def session(status: str = "idle", **fields: object) -> dict:
    agent = {"id": "agent_1", "model": "gpt-6-luna"}
    base = {"id": "sess_1", "object": "agent.session", "environment": {"type": "none"}, "agent": agent}
    return {**base, "status": status, "required_actions": [], "metadata": {}, "error": None, **fields}


def turn(status: str = "completed", **fields: object) -> dict:
    return {"id": "turn_1", "object": "agent.session.turn", "status": status, "subagent_id": None, **fields}


def page(*rows: dict) -> dict:
    return {"object": "list", "data": list(rows), "has_more": False}


class Service:
    """Shows these states of a session and its turn, the last one for ever; `events` is what it says to each event."""

    def __init__(self, sessions: list[dict], turns: list[dict], items: list[dict] | None = None) -> None:
        self.sessions, self.turns = sessions, turns
        self.items = [SAID] if items is None else items
        self.events: list[list] = []
        self.sent: list[tuple[dict, str]] = []

    def __call__(self, seen: Seen) -> list:
        path = seen.path.removeprefix("/agents/sessions")
        if path.endswith("/events"):
            self.sent.append((seen.json["events"][0], seen.headers["idempotency-key"]))
            return self.events.pop(0) if self.events else reply(b"", 202)
        if path.endswith("/items"):
            return reply(page(*self.items))
        if path.endswith("/artifacts"):
            return reply(page())
        if path.endswith("/turns"):
            return reply(page(*([self._next(self.turns)] if self.turns else [])))
        if "/turns/" in path:
            return reply(self._next(self.turns))
        return reply(self._next(self.sessions) if seen.method == "GET" else session("in_progress"))

    def _next(self, states: list[dict]) -> dict:
        return states.pop(0) if len(states) > 1 else states[0]


@asynccontextmanager
async def talking(folder: Path, answer: Callable[[Seen], list]):
    async with wire_server(answer) as server:
        with Journal(folder / "journal.jsonl") as journal:
            endpoint = Endpoint(base_url=server.url, key=KEY)
            async with open_backend(endpoint, journal, sleep=hurry) as backend:
                yield backend, server, journal


def question(**fields: object) -> Question:
    return Question(**{"deployment": INLINE, "text": "How much?", "thread_id": None, **fields})


async def test_a_candidate_is_played_inline_and_an_idle_session_is_no_success_by_itself(tmp_path: Path) -> None:
    states = [session(), session("in_progress"), session()]
    service = Service(states, [turn("queued"), turn("in_progress"), turn()])
    async with talking(tmp_path, service) as (backend, server, _):
        run = await backend.ask(question(tags={"runner.play": "p"}))
    made = server.seen[0].json
    assert (run.status, run.text, run.thread_id) == (RunStatus.COMPLETED, "It is 39.25.", "sess_1")
    assert "agent_id" not in made
    assert (made["agent"]["model"], made["environment"]) == ("gpt-6-luna", {"type": "none"})
    assert made["metadata"] == {"runner.play": "p"}
    assert {str(one).split(" ")[1].split("/")[1] for one in server.seen} == {"agents"}
    assert all(one.headers["openai-beta"] == "agents=v1" for one in server.seen)


async def test_a_later_question_passes_the_gate_as_the_first_one_does(tmp_path: Path) -> None:
    gate = CountingGate()
    token = GATE.set(gate)
    try:
        async with talking(tmp_path, Service([session()], [turn(), turn(), turn(id="turn_2")])) as (backend, _, _):
            thread_id = (await backend.ask(question())).thread_id
            await backend.ask(question(thread_id=thread_id))
    finally:
        GATE.reset(token)
    assert (gate.entered, gate.taken) == (2, 2)


@pytest.mark.fault("S1")
@pytest.mark.parametrize("status", ["in_progress", "queued", "dreaming"])
@pytest.mark.parametrize("of_session", ["in_progress", "idle", "budget_reached"])
async def test_a_turn_that_never_ends_is_cancelled_and_its_last_state_told(
    tmp_path: Path, status: str, of_session: str
) -> None:
    service = Service([session(of_session)], [turn(status)])
    async with talking(tmp_path, service) as (backend, _, _):
        run = await _ask_with_end(backend, service)
    assert run.status is RunStatus.CANCELLED
    assert f"the turn was still '{status}' after" in run.error
    assert f"(its session: '{of_session}'), and was cancelled" in run.error
    assert [event["type"] for event, _ in service.sent] == ["agent.session.input.cancel"]


@pytest.mark.fault("S1")
@pytest.mark.parametrize(("turns", "said"), [([turn("queued")], "the turn was still 'queued'"), ([], "begun no turn")])
async def test_a_turn_that_is_queued_for_too_long_is_cancelled(tmp_path: Path, turns: list, said: str) -> None:
    service = Service([session("in_progress")], turns)
    async with talking(tmp_path, service) as (backend, _, _):
        run = await _ask_with_end(backend, service, queue_s=0.2, deadline_s=30.0)
    assert (run.status, run.error_code) == (RunStatus.CANCELLED, QUEUED_TOO_LONG)
    assert said in run.error
    assert "after 0.2 s (its session: 'in_progress')" in run.error


async def _ask_with_end(backend, service: Service, **fields: object):
    """The turn ends once it is told to."""
    answer = service.__class__.__call__

    def hear(self: Service, seen: Seen) -> list:
        moves = answer(self, seen)
        if seen.path.endswith("/events"):
            self.turns[:] = [turn("cancelled")]
        return moves

    service.__class__ = type("Ending", (Service,), {"__call__": hear})
    return await backend.ask(question(**{"deadline_s": 0.2, **fields}))


async def test_a_session_that_begins_no_turn_does_not_hang(tmp_path: Path) -> None:
    async with talking(tmp_path, Service([session()], [])) as (backend, _, _):
        run = await backend.ask(question(deadline_s=0.2))
    assert run.status is RunStatus.CANCELLED
    assert "the session had begun no turn after" in run.error


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded", "sandbox_error", "something_new"])
async def test_a_turn_that_failed_says_why(tmp_path: Path, code: str) -> None:
    failed = turn("failed", error={"code": code, "message": "It broke."})
    async with talking(tmp_path, Service([session()], [failed], [])) as (backend, _, _):
        run = await backend.ask(question())
    assert (run.status, run.error, run.error_code, run.ending) == (
        RunStatus.FAILED,
        "It broke.",
        code,
        Ending.BROKEN,
    )


async def test_a_session_that_failed_is_told_though_its_turn_goes_on(tmp_path: Path) -> None:
    service = Service([session("failed", error="The sandbox is gone.")], [turn("in_progress")], [])
    async with talking(tmp_path, service) as (backend, _, _):
        run = await backend.ask(question())
    assert (run.status, run.error) == (RunStatus.FAILED, "The sandbox is gone.")


@pytest.mark.parametrize(
    ("ended", "items"),
    [
        (turn(), [{**SAID, "status": "incomplete"}]),
        (turn("failed", error={"code": "max_output_tokens", "message": "too long"}), [SAID]),
    ],
)
async def test_an_answer_that_is_cut_off_is_incomplete(tmp_path: Path, ended: dict, items: list[dict]) -> None:
    async with talking(tmp_path, Service([session()], [ended], items)) as (backend, _, _):
        run = await backend.ask(question())
    assert run.status is RunStatus.INCOMPLETE


async def test_commentary_is_no_answer_and_items_never_seen_before_are_left_out(tmp_path: Path) -> None:
    items = [{**SAID, "phase": "commentary"}, {"id": "x", "type": "hologram"}, {"id": "y", "type": "hologram_call"}]
    async with talking(tmp_path, Service([session()], [turn()], items)) as (backend, _, _):
        run = await backend.ask(question())
    assert (run.ending, [step.tool for step in run.steps]) == (Ending.EMPTY, ["hologram"])


async def test_a_call_is_answered_once_under_one_key_though_the_server_is_not_ready_for_it(tmp_path: Path) -> None:
    waiting = session("requires_action", required_actions=[CALL])
    service = Service([waiting, waiting, session()], [turn("waiting"), turn("waiting"), turn("waiting"), turn()])
    service.events = [refusal(400, "Unknown pending tool call: call_1", "invalid_request_error")]
    service.items = [{"id": "fc_1", **CALL, "status": "completed"}, SAID]
    calls = []

    async def answer(call: object) -> FunctionAnswer:
        calls.append(call)
        return FunctionAnswer(output="1")

    async with talking(tmp_path, service) as (backend, _, _):
        run = await backend.ask(question(answer=answer))
    assert len({key for _, key in service.sent}) == 1
    assert [event["output"] for event, _ in service.sent] == ["1", "1"]
    assert [json.loads(call.arguments) for call in calls] == [{"to": "EUR"}]
    (step,) = run.steps
    assert (step.tool, step.output, step.completed, run.text) == ("rate", "1", True, "It is 39.25.")


@pytest.mark.parametrize("demand", ["mcp_approval_request", "computer_use_approval_request", "wishes"])
async def test_what_nothing_here_can_give_ends_the_turn(tmp_path: Path, demand: str) -> None:
    waiting = session("requires_action", required_actions=[{"type": demand}])
    service = Service([waiting], [turn("waiting"), turn("waiting"), turn("cancelled")])
    async with talking(tmp_path, service) as (backend, _, _):
        run = await backend.ask(question())
    assert (run.status, demand in run.error) == (RunStatus.FAILED, True)


@pytest.mark.parametrize("moves", [[RESET], [CLOSE], reply("<html>oops</html>"), reply({}), reply([])])
async def test_a_session_whose_create_is_not_answered_is_not_made_twice(tmp_path: Path, moves: list) -> None:
    async with talking(tmp_path, lambda _: moves) as (backend, server, _):
        with pytest.raises(UnclearOutcome):
            await backend.ask(question())
    assert server.calls == ["POST /agents/sessions"]
    assert Kind.THREAD.value in (tmp_path / "journal.jsonl").read_text()


async def test_a_document_goes_into_the_workspace_and_an_image_into_the_question(tmp_path: Path) -> None:
    service = Service([session()], [turn()])

    def answer(seen: Seen) -> list:
        return reply({"id": "file_1", "object": "file"}) if seen.path == "/files" else service(seen)

    (tmp_path / "receipt.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "dot.png").write_bytes(b"\x89PNG")
    async with talking(tmp_path, answer) as (backend, server, _):
        document = await backend.files.upload_file(tmp_path / "receipt.pdf", "receipt.pdf", FileUse.INPUT)
        image = await backend.files.upload_file(tmp_path / "dot.png", "dot.png", FileUse.INPUT)
        await backend.ask(question(attachments=((document, FileUse.INPUT), (image, FileUse.INPUT))))
        await backend.files.delete_file(image)
    assert server.calls[:2] == ["POST /files", "POST /agents/sessions"]
    made = server.seen[1].json
    path = "/workspace/receipt.pdf"
    assert made["environment"] == {
        "type": "openai_hosted",
        "files": [{"type": "file_id", "file_id": "file_1", "path": path}],
    }
    content = made["input"][0]["content"]
    assert content[1] == {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="}
    assert path in content[2]["text"]
    assert not any(call.startswith("DELETE") for call in server.calls)


async def test_what_the_turn_left_in_the_outputs_is_downloaded_and_a_download_that_fails_is_told(
    tmp_path: Path,
) -> None:
    hosted = {"type": "openai_hosted", "id": "env_1"}
    service = Service([session(environment=hosted)], [turn()])
    files = [
        {"id": f"art_{turn_id}_{name}", "turn_id": turn_id, "path": f"/workspace/outputs/{name}"}
        for turn_id in ("turn_1", "turn_0")
        for name in ("rates.csv", "gone.csv")
    ]

    def answer(seen: Seen) -> list:
        if seen.path.endswith("/artifacts"):
            return reply(page(*files))
        if seen.path.endswith("rates.csv/content"):
            return reply(b"a,b")
        if seen.path.endswith("/content"):
            return refusal(404, "No artifact found", "not_found")
        return reply(session("in_progress", environment=hosted)) if seen.method == "POST" else service(seen)

    async with talking(tmp_path, answer) as (backend, server, _):
        run = await backend.ask(question(documents_follow=True))
    assert server.seen[0].json["environment"] == {"type": "openai_hosted", "files": []}
    assert [(file.name, file.size_bytes, bool(file.problem)) for file in run.files] == [
        ("rates.csv", 3, False),
        ("gone.csv", None, True),
    ]


async def test_a_session_at_work_is_cancelled_before_it_is_deleted(tmp_path: Path) -> None:
    answers = [refusal(409, "still running"), reply(b"", 202), reply({"deleted": True})]
    async with talking(tmp_path, lambda _: answers.pop(0)) as (backend, server, _):
        await backend.delete_thread(ThreadId("sess_1"))
    path = "/agents/sessions/sess_1"
    assert server.calls == [f"DELETE {path}", f"POST {path}/events", f"DELETE {path}"]
    assert Kind.THREAD.value in (tmp_path / "journal.jsonl").read_text()


async def test_sessions_that_a_server_lists_unasked_are_not_taken_for_ours(tmp_path: Path) -> None:
    ours, theirs = {"runner.namespace": "a", "runner.play": "p"}, {"runner.namespace": "b", "runner.play": "p"}
    listed = page(session(id="s1", created_at=7, metadata=ours), session(id="s2", created_at=7, metadata=theirs))
    async with talking(tmp_path, lambda _: reply(listed)) as (backend, _, _):
        found = await backend.find_threads({"runner.namespace": "a"})
    assert [one.id for one in found or ()] == ["s1"]


async def test_a_no_op_sync_of_a_hundred_agents_reads_them_in_one_call(tmp_path: Path) -> None:
    agents = [{"id": f"agent_{n}", "created_at": n, "model": "m", "metadata": {}, "tools": []} for n in range(100)]
    async with talking(tmp_path, lambda _: reply(page(*agents))) as (backend, server, _):
        assert len(await backend.list_assistants()) == 100
        assert await backend.files.list_stores() == ()
    assert server.calls == ["GET /agents"]
