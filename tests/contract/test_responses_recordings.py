"""What the `responses` backend makes of recorded OpenAI traffic: whole, in small pieces, and cut at every place."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import responses_wire as wire
from wire_server import CLOSE, Seen, refusal, reply

from runner.domain.conversation import Ending, FunctionAnswer, FunctionCall, Run, RunStatus
from runner.domain.plan import Kind
from runner.errors import RemoteError, UnclearOutcome

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("RUNNER_SHARED", ROOT / ".." / "shared")) / "recordings"
FOLDERS = ("responses", "responsestool", "conversation")
PLACES = 18
"""That are spread over a stream, beside those that differ in kind; raise it here for a longer look."""

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings: set RUNNER_SHARED")


def _made(exchange: dict) -> bool:
    """Whether a response was made in this exchange."""
    is_one = isinstance(exchange["response"], str) or exchange["response"].get("object") == "response"
    return (exchange["method"], exchange["path"]) == ("POST", "/v1/responses") and is_one


def _cases() -> list:
    files = [file for folder in FOLDERS for file in sorted((RECORDINGS / folder).glob("*.json"))]
    return [
        pytest.param(file, number, id=f"{file.stem}-{number}")
        for file in files
        for number, exchange in enumerate(json.loads(file.read_text()))
        if _made(exchange)
    ]


CASES = _cases()
STREAMS = [
    case for case in CASES if isinstance(json.loads(case.values[0].read_text())[case.values[1]]["response"], str)
]


@dataclass
class Recording:
    """One recorded response and those that followed it; after these, one of ours that ends the turn."""

    file: Path
    number: int
    later: list[dict | str] = field(init=False)

    def __post_init__(self) -> None:
        exchanges = json.loads(self.file.read_text())
        self.later = [one["response"] for one in exchanges[self.number :] if _made(one)]
        self.others = {f"{one['method']} {urlsplit(one['path']).path}".rstrip("/"): one for one in exchanges}

    @property
    def raw(self) -> dict | str:
        return self.later[0]

    @property
    def rounds(self) -> list[dict]:
        """The responses of one turn that begins with the recorded one."""
        found: list[dict] = []
        for one in [*(_final(raw) for raw in self.later), wire.response(wire.message("Done."), id="resp_ours")]:
            found.append(self._settled(one))
            if not _waits(found[-1]):
                break
        return found

    def _settled(self, body: dict) -> dict:
        """A response in the background, when it is over: another exchange of the recording has that."""
        return self.others[f"POST /v1/responses/{body['id']}/cancel"]["response"] if _is_open(body) else body


def _final(raw: dict | str) -> dict:
    return raw if isinstance(raw, dict) else _events(raw)[-1]["response"]


def _events(stream: str) -> list[dict]:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


def _is_open(body: dict) -> bool:
    return body["status"] in ("queued", "in_progress")


def _waits(body: dict) -> bool:
    kinds = {item["type"] for item in body["output"]}
    return body["status"] == "completed" and bool(kinds & {"function_call", "mcp_approval_request"})


# What should come out, told from the recording alone -------------------------------------------------------------

TOOLS = {
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "web_search_call": "web_search",
    "mcp_call": "mcp",
    "mcp_approval_request": "mcp",
    "apply_patch_call": "apply_patch",
}


def _assert_is_whole(run: Run, rounds: list[dict]) -> None:
    items = [item for one in rounds for item in one["output"]]
    parts = [list(item["content"]) for item in items if item["type"] == "message"]
    texts = ["\n".join(part["text"] for part in row if part["type"] == "output_text") for row in parts]
    notes = [note for row in parts for part in row for note in part.get("annotations", [])]
    assert run.id == rounds[-1]["id"]
    assert run.thread_id == rounds[0]["id"]
    assert run.status.value == rounds[-1]["status"]
    assert run.text == "\n\n".join(texts)
    assert run.model == rounds[-1]["model"]
    assert [step.tool for step in run.steps] == [name for item in items for name in _tool_of(item)]
    cited = [note for note in notes if note["type"] in ("file_citation", "url_citation")]
    assert sorted(one.filename for one in run.citations) == sorted(
        note.get("filename") or note["url"] for note in cited
    )
    made = {note["file_id"]: note["filename"] for note in notes if note["type"] == "container_file_citation"}
    assert [file.name for file in run.files] == list(made.values())
    _assert_usage(run, rounds)
    _assert_steps(run, items)
    if run.status is RunStatus.INCOMPLETE:
        assert run.error_code == rounds[-1]["incomplete_details"]["reason"]


def _tool_of(item: dict) -> Iterator[str]:
    if item["type"] == "function_call":
        yield item["name"]
    elif item["type"] in TOOLS:
        yield TOOLS[item["type"]]


def _assert_usage(run: Run, rounds: list[dict]) -> None:
    if any(one["usage"] is None for one in rounds):
        assert run.usage is None
        return
    assert run.usage.total_tokens == sum(one["usage"]["total_tokens"] for one in rounds)
    details = [one["usage"]["output_tokens_details"]["reasoning_tokens"] for one in rounds]
    assert run.usage.reasoning_tokens == sum(details)


def _assert_steps(run: Run, items: list[dict]) -> None:
    codes = [item["code"] or "" for item in items if item["type"] == "code_interpreter_call"]
    assert [step.input for step in run.steps if step.tool == "code_interpreter"] == codes
    queries = ["\n".join(item["queries"]) for item in items if item["type"] == "file_search_call"]
    assert [step.input for step in run.steps if step.tool == "file_search"] == queries
    denied = [step for step in run.steps if step.output.startswith("approval was denied")]
    assert len(denied) == sum(item["type"] == "mcp_approval_request" for item in items)


# A server that plays them again ----------------------------------------------------------------------------------


class Player:
    """Answers each `POST /responses` with the next recorded response; `begin` puts it back to the first."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.first: list = []
        self.keeps = True
        self.begin()

    def begin(self, first: list | None = None) -> None:
        """`first` are the moves that stand in for the recorded first answer."""
        self.left = [*self.recording.later, wire.response(wire.message("Done."), id="resp_ours")]
        self.first = first or []

    def __call__(self, seen: Seen) -> list:
        if str(seen) == "POST /responses":
            raw = self.left.pop(0)
            first, self.first = self.first, []
            return first or (reply(raw) if isinstance(raw, dict) else wire.streamed(raw.encode()))
        if seen.path.endswith("/content"):
            return reply(b"what the code wrote")
        if seen.method == "GET" and self.keeps:
            return reply(next(one for one in self.recording.rounds if one["id"] == seen.path.rsplit("/", 1)[1]))
        return refusal(404, "Response not found.")


async def _echo(call: FunctionCall) -> FunctionAnswer:
    return FunctionAnswer(output=call.arguments)


async def _ask(backend) -> Run:
    return await backend.ask(wire.question(tools=wire.TOOLS, answer=_echo))


@pytest.mark.parametrize(("file", "number"), CASES)
@pytest.mark.slow
async def test_every_recorded_response_comes_out_as_a_whole_run(tmp_path, file, number):
    recording = Recording(file, number)
    async with wire.talking(tmp_path, Player(recording)) as (backend, server, journal):
        run = await _ask(backend)
        _assert_is_whole(run, recording.rounds)
        asked = [seen for seen in server.seen if str(seen) == "POST /responses"]
        assert len(asked) == len(recording.rounds)
        made = {remote_id for kind, remote_id in journal.live if kind is not Kind.CONTAINER}
        assert made == {one["id"] for one in recording.rounds}


def test_there_is_something_to_play():
    assert (len(CASES), len(STREAMS)) == (61, 9)


@pytest.mark.fault("S6")
@pytest.mark.slow
@pytest.mark.parametrize(("file", "number"), STREAMS)
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_a_recorded_stream_may_come_in_pieces_of_any_size(tmp_path, file, number, size):
    recording = Recording(file, number)
    content = recording.raw.encode()[: 20_000 if size == 1 else None]
    is_all = len(content) == len(recording.raw.encode())
    pieces = b"".join(wire.chunk(content[at : at + size]) for at in range(0, len(content), size))
    player = Player(recording)
    player.begin([wire.SSE_HEAD, pieces, wire.END])
    async with wire.talking(tmp_path, player) as (backend, server, _):
        _assert_is_whole(await _ask(backend), recording.rounds)
        assert (f"GET /responses/{recording.rounds[0]['id']}" in server.calls) is not is_all


@pytest.mark.parametrize(("file", "number"), STREAMS)
async def test_a_recorded_stream_with_other_line_ends_is_the_same(tmp_path, file, number):
    recording = Recording(file, number)
    for ending in ("\r\n", "\r"):
        player = Player(recording)
        player.begin(wire.streamed(b"\xef\xbb\xbf: hello\n\n" + recording.raw.replace("\n", ending).encode()))
        async with wire.talking(tmp_path, player) as (backend, server, _):
            _assert_is_whole(await _ask(backend), recording.rounds)
            assert not [call for call in server.calls if call.startswith("GET /responses")]


# Cuts ------------------------------------------------------------------------------------------------------------


def _places(recording: Recording) -> tuple[list[int], list[int]]:
    """Boundaries between events, one for each pair of kinds that follow each other, and places inside events.

    Some more of both are spread over the whole stream. The first boundary is the stream's beginning, the last its end.
    """
    stream = recording.raw.encode()
    boundaries = [0]
    while (at := stream.find(b"\n\n", boundaries[-1])) >= 0:
        boundaries.append(at + 2)
    kinds = [event["type"] for event in _events(recording.raw)]
    assert len(boundaries) == len(kinds) + 1
    pairs = dict(zip(pairwise(kinds), boundaries[1:-1], strict=True))
    firsts = {kind: place + 1 for kind, place in reversed([*zip(kinds, boundaries, strict=False)])}
    chosen = {0, boundaries[1], len(stream), *pairs.values(), *boundaries[:: 1 + len(boundaries) // PLACES]}
    inside = {int(number * len(stream) / PLACES) for number in range(PLACES)} | set(firsts.values())
    # The last event counts most, and its end most of all.
    inside |= {len(stream) - 1, len(stream) - 2, boundaries[-2] + 1}
    return sorted(chosen), sorted(inside - set(boundaries))


@pytest.mark.fault("S6")
@pytest.mark.slow
@pytest.mark.parametrize(("file", "number"), STREAMS)
async def test_a_cut_stream_is_an_error_or_the_response_read_again(tmp_path, file, number):
    recording = Recording(file, number)
    stream = recording.raw.encode()
    boundaries, inside = _places(recording)
    player = Player(recording)
    async with wire.talking(tmp_path, player) as (backend, server, _):
        for place in [*boundaries, *inside]:
            is_rude = place % 2 == 0
            player.begin([wire.SSE_HEAD + wire.chunk(stream[:place]), CLOSE if is_rude else wire.END, CLOSE])
            del server.seen[:]
            if place < boundaries[1]:
                with pytest.raises(UnclearOutcome):
                    await _ask(backend)
                assert server.calls == ["POST /responses"]
                continue
            _assert_is_whole(await _ask(backend), recording.rounds)
            looks = server.calls.count(f"GET /responses/{recording.rounds[0]['id']}")
            assert looks == (0 if place == len(stream) else 1)
            assert server.calls.count("POST /responses") == len(recording.rounds)


@pytest.mark.fault("S6")
@pytest.mark.slow
@pytest.mark.parametrize(("file", "number"), STREAMS)
async def test_a_cut_stream_of_a_response_that_is_not_kept_is_an_error(tmp_path, file, number):
    recording = Recording(file, number)
    stream = recording.raw.encode()
    boundaries, inside = _places(recording)
    player = Player(recording)
    player.keeps = False
    async with wire.talking(tmp_path, player) as (backend, _, journal):
        for place in [*boundaries[1:-1], *inside[::5]]:
            player.begin([wire.SSE_HEAD + wire.chunk(stream[:place]), CLOSE])
            with pytest.raises(RemoteError):
                await _ask(backend)
        assert (Kind.RESPONSE, recording.rounds[0]["id"]) in journal.live


# Conversations ---------------------------------------------------------------------------------------------------


async def test_a_recorded_conversation_is_created_asked_and_deleted_with_its_items(tmp_path):
    exchanges = json.loads((RECORDINGS / "responses" / "ResponseUsingConversations.json").read_text())
    recorded = {f"{one['method']} {urlsplit(one['path']).path.removeprefix('/v1')}": one for one in exchanges}
    conversation_id = recorded["POST /conversations"]["response"]["id"]
    answered = recorded["POST /responses"]["response"]
    items = recorded[f"GET /conversations/{conversation_id}/items"]["response"]["data"]

    def answer(seen: Seen) -> list:
        if str(seen) in recorded:
            return reply(recorded[str(seen)]["response"])
        return reply({"id": seen.path.rsplit("/", 1)[1], "deleted": True})

    async with wire.talking(tmp_path, answer) as (backend, server, journal):
        run = await backend.ask(wire.question(is_last=False))
        assert (run.ending, run.thread_id) == (Ending.ANSWERED, conversation_id)
        assert run.text == answered["output"][0]["content"][0]["text"]
        assert server.seen[1].json["conversation"] == answered["conversation"]["id"]
        del server.seen[:]
        await backend.delete_thread(run.thread_id)
        assert server.calls == [
            f"DELETE /responses/{answered['id']}",
            f"GET /conversations/{conversation_id}/items",
            *(f"DELETE /conversations/{conversation_id}/items/{item['id']}" for item in items),
            f"DELETE /conversations/{conversation_id}",
        ]
        assert journal.live == ()


@pytest.mark.parametrize(
    "name", ["CanCreateGetUpdateAndDeleteConversation", "ConversationItemEndpointsAcceptIncludeQuery"]
)
async def test_every_recorded_conversation_can_be_made_and_removed(tmp_path, name):
    exchanges = json.loads((RECORDINGS / "conversation" / f"{name}.json").read_text())
    conversation = exchanges[0]["response"]
    listed = [one["response"] for one in exchanges if one["method"] == "GET" and "data" in one["response"]]

    def answer(seen: Seen) -> list:
        if str(seen) == "POST /conversations":
            return reply(conversation)
        if seen.method == "GET":
            return reply(listed[0] if listed else {"object": "list", "data": [], "has_more": False})
        if seen.method == "DELETE":
            return reply(exchanges[-1]["response"])
        return wire.streamed(wire.stream_of(wire.response(wire.message())))

    async with wire.talking(tmp_path, answer) as (backend, server, journal):
        run = await backend.ask(wire.question(is_last=False))
        assert run.thread_id == conversation["id"]
        await backend.delete_thread(run.thread_id)
        expected = 1 + sum(len(page["data"]) for page in listed) + 1
        assert sum(seen.method == "DELETE" for seen in server.seen) == expected
        assert (journal.live, journal.unclear) == ((), ())
