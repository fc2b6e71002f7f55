"""What the `responses` backend does with responses that go wrong, take their time, or call for help: real sockets."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
import responses_wire as wire
from responses_wire import Keeper
from wire_server import CLOSE, Seen, WireServer, refusal, reply

from runner.backends import QUEUED_TOO_LONG, Backend
from runner.domain.assistant import History
from runner.domain.conversation import Ending, RunStatus, ThreadId
from runner.domain.plan import Kind
from runner.errors import KeyRejected, RateLimited, RemoteError, RemoteMissing, UnclearOutcome
from runner.sync import remove_live

ANSWERED = wire.response(wire.message())
STREAM = wire.stream_of(ANSWERED)
CUT_OFF = b'HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"id"'


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(wire.talking, tmp_path)


def background(*looks: dict) -> Keeper:
    """A server whose response in the background shows these states, one after the other, the last one for ever."""
    keeper = Keeper(reply(looks[0]))
    keeper.looks["resp_1"] = [*looks[1:]] or [looks[0]]
    return keeper


# S1: no end in sight ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["in_progress", "queued", "pondering"])
async def test_s1_a_response_that_never_ends_is_cancelled_at_the_deadline(talk, status):
    keeper = background(wire.response(status="queued"), wire.response(status=status))

    def answer(seen: Seen) -> list:
        return reply(wire.response(status="cancelled")) if seen.path.endswith("/cancel") else keeper(seen)

    async with talk(answer, hurried=False, background=True) as (backend, server, _):
        run = await backend.ask(wire.question(deadline_s=0.3))
    assert run.status is RunStatus.CANCELLED
    assert run.error == f"the response was still '{status}' after 0 s, and it was cancelled"
    assert server.calls[-1] == "POST /responses/resp_1/cancel"
    assert (server.seen[0].json["background"], "stream" in server.seen[0].json) == (True, False)


async def test_s1_a_response_that_is_queued_for_too_long_is_cancelled_before_the_turn_s_time_is_over(talk):
    keeper = background(wire.response(status="queued"))

    def answer(seen: Seen) -> list:
        return reply(wire.response(status="cancelled")) if seen.path.endswith("/cancel") else keeper(seen)

    async with talk(answer, hurried=False, background=True) as (backend, server, _):
        run = await backend.ask(wire.question(queue_s=0.2))
    assert (run.status, run.error_code) == (RunStatus.CANCELLED, QUEUED_TOO_LONG)
    assert run.error == "the response was still 'queued' after 0.2 s, and it was cancelled"
    assert server.calls[-1] == "POST /responses/resp_1/cancel"


async def test_s1_a_response_that_was_begun_in_time_is_out_of_the_queue(talk):
    begun = wire.response(status="in_progress")
    keeper = background(wire.response(status="queued"), begun, begun, begun, ANSWERED)
    async with talk(keeper, hurried=False, background=True) as (backend, server, _):
        run = await backend.ask(wire.question(queue_s=0.15))
    assert run.text == "It is 39.25."
    assert server.calls.count("GET /responses/resp_1") == 4


async def test_s1_a_stream_that_says_queued_for_too_long_is_left(talk):
    queued = wire.event("response.queued", sequence_number=0, response=wire.response(status="queued"))
    async with talk(Keeper([wire.SSE_HEAD + wire.chunk(queued), 5.0]), hurried=False) as (backend, server, _):
        run = await backend.ask(wire.question(queue_s=0.2))
    assert (run.status, run.error_code) == (RunStatus.CANCELLED, QUEUED_TOO_LONG)
    assert run.error == "the response was still 'queued' after 0.2 s, and its connection was closed"
    assert server.calls == ["POST /responses"]


async def test_s1_a_stream_that_goes_on_after_the_queue_is_heard_to_its_end(talk):
    queued = wire.event("response.queued", sequence_number=0, response=wire.response(status="queued"))
    moves = [wire.SSE_HEAD + wire.chunk(queued + wire.created(ANSWERED)), 0.3, wire.chunk(wire.ended(ANSWERED)), CLOSE]
    async with talk(Keeper(moves), hurried=False) as (backend, _, _):
        run = await backend.ask(wire.question(queue_s=0.2))
    assert run.text == "It is 39.25."


async def test_s1_a_response_that_can_t_be_cancelled_says_so(talk):
    keeper = background(wire.response(status="in_progress"))

    def answer(seen: Seen) -> list:
        return refusal(500, "Oops.") if seen.path.endswith("/cancel") else keeper(seen)

    async with talk(answer, hurried=False, background=True) as (backend, _, _):
        run = await backend.ask(wire.question(deadline_s=0.2))
    assert "it could not be cancelled: while cancelling the response resp_1: the server failed (500)" in run.error


async def test_s1_a_stream_that_falls_silent_ends_at_the_deadline(talk):
    silent = [wire.SSE_HEAD + wire.chunk(wire.created(ANSWERED)), 5.0]
    async with talk(Keeper(silent), hurried=False) as (backend, server, journal):
        run = await backend.ask(wire.question(deadline_s=0.3))
        assert run.status is RunStatus.CANCELLED
        assert run.error == "the response was still 'in_progress' after 0 s, and its connection was closed"
        assert server.calls == ["POST /responses"]
        assert journal.live == ((Kind.RESPONSE, "resp_1"),)


async def test_s1_a_cut_stream_s_response_is_waited_for_until_the_deadline(talk):
    keeper = Keeper(wire.cut(wire.created(ANSWERED)), kept=[wire.response(status="in_progress")])
    async with talk(keeper, hurried=False) as (backend, server, _):
        run = await backend.ask(wire.question(deadline_s=0.5))
        assert (run.status, run.text) == (RunStatus.CANCELLED, "")
        assert server.calls.count("POST /responses") == 1
        assert server.calls.count("GET /responses/resp_1") > 1


async def test_a_response_in_the_background_is_looked_at_until_it_is_over(talk):
    open_one = wire.response(status="in_progress")
    async with talk(background(open_one, open_one, ANSWERED), background=True) as (backend, server, journal):
        run = await backend.ask(wire.question(tools=wire.TOOLS))
        assert run.text == "It is 39.25."
        assert server.calls == ["POST /responses", "GET /responses/resp_1", "GET /responses/resp_1"]
        assert server.seen[1].query["include[]"] == ["code_interpreter_call.outputs"]
        assert journal.live == ((Kind.RESPONSE, "resp_1"),)


@pytest.mark.parametrize("requests", [1, 2])
async def test_an_interrupted_turn_cancels_what_runs_when_it_is_deleted(talk, requests):
    keeper = background(wire.response(status="in_progress"))
    async with talk(lambda seen: [0.1, *keeper(seen)], hurried=False, background=True) as (backend, server, journal):
        asking = asyncio.ensure_future(backend.ask(wire.question()))
        while len(server.calls) < requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        ((kind, remote_id),) = journal.live
        assert kind is Kind.RESPONSE
        await backend.delete_thread(ThreadId(remote_id))
        assert server.calls[-2:] == ["POST /responses/resp_1/cancel", "DELETE /responses/resp_1"]


async def test_an_interrupted_stream_waits_for_its_id_so_that_it_can_be_removed(talk):
    late = [wire.SSE_HEAD, 0.2, wire.chunk(wire.created(ANSWERED)), 5.0]
    async with talk(Keeper(late), hurried=False) as (backend, server, journal):
        asking = asyncio.ensure_future(backend.ask(wire.question()))
        await asyncio.wait_for(server.asked.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (journal.live, journal.unclear) == (((Kind.RESPONSE, "resp_1"),), ())


CODE_RAN = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "container_id": "cntr_1", "code": ""}


async def begin_and_leave(backend: Backend, server: WireServer) -> None:
    """The response has told its id, and nothing of the container that its code got."""
    asking = asyncio.ensure_future(backend.ask(wire.question(tools=wire.TOOLS, thread_id=ThreadId("conv_1"))))
    await asyncio.wait_for(server.asked.wait(), 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("by", ["thread", "journal"])
async def test_what_an_interrupted_stream_had_not_told_yet_is_removed_too(talk, by):
    silent = [wire.SSE_HEAD + wire.chunk(wire.created(ANSWERED)), 5.0]
    keeper = Keeper(silent, kept=[wire.response(CODE_RAN, status="failed")])
    async with talk(keeper) as (backend, server, journal):
        await begin_and_leave(backend, server)
        if by == "thread":
            await backend.delete_thread(ThreadId("conv_1"))
        else:
            assert await remove_live(backend, journal) == ()
        assert journal.live == ()
        deleted = [one for one in server.calls if one.startswith("DELETE") and "conv" not in one]
        assert deleted == ["DELETE /responses/resp_1", "DELETE /containers/cntr_1"]


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (reply(wire.response(CODE_RAN, status="in_progress")), "it was not over"),
        (refusal(500, "Oops."), "while reading the response resp_1: the server failed (500)"),
    ],
    ids=["not over", "unreadable"],
)
async def test_a_container_that_nobody_can_know_of_is_told_of(talk, look, reason):
    keeper = Keeper([wire.SSE_HEAD + wire.chunk(wire.created(ANSWERED)), 5.0])
    async with talk(lambda seen: look if seen.method == "GET" else keeper(seen)) as (backend, server, journal):
        await begin_and_leave(backend, server)
        (line,) = await remove_live(backend, journal)
        assert line.startswith(f"a container for the code of the response resp_1 may be left on the server: {reason}")
        assert journal.live == ()


# S2: bad ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded", "invalid_prompt", "vector_store_timeout"])
async def test_s2_a_failed_response_has_its_code_and_its_words(talk, code):
    body = wire.response(status="failed", error={"code": code, "message": "It broke."})
    async with talk(Keeper(body)) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert (run.status, run.error_code, run.error) == (RunStatus.FAILED, code, "It broke.")
    assert run.ending is Ending.BROKEN


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter", "max_messages", "steered"])
async def test_s2_an_incomplete_answer_names_its_reason(talk, reason):
    body = wire.response(wire.message("It is 39."), status="incomplete", incomplete_details={"reason": reason})
    async with talk(Keeper(body)) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert (run.status, run.error_code) == (RunStatus.INCOMPLETE, reason)
    assert run.error == f"the answer is incomplete: {reason}"
    assert (run.ending, run.text) == (Ending.BROKEN, "It is 39.")


async def test_s2_a_response_that_somebody_else_cancelled_is_no_answer(talk):
    async with talk(background(wire.response(wire.message(), status="cancelled")), background=True) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert (run.status, run.error, run.ending) == (
        RunStatus.CANCELLED,
        "the run was cancelled, not by us",
        Ending.BROKEN,
    )


@pytest.mark.parametrize(
    "said",
    [{"code": "server_error", "message": "It broke."}, {"error": {"code": "server_error", "message": "It broke."}}],
    ids=["flat", "nested"],
)
async def test_s2_an_error_event_ends_a_response_as_failed(talk, said):
    content = wire.created(ANSWERED) + wire.event("error", **said)
    async with talk(Keeper(wire.streamed(content))) as (backend, server, journal):
        run = await backend.ask(wire.question())
        assert (run.status, run.error_code, run.error) == (RunStatus.FAILED, "server_error", "It broke.")
        assert server.calls == ["POST /responses"]
        assert journal.live == ((Kind.RESPONSE, "resp_1"),)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("insufficient_quota", RateLimited), ("rate_limit_exceeded", RateLimited), (None, RemoteError)],
)
async def test_s2_an_error_event_in_place_of_a_response_is_a_refusal(talk, code, kind):
    content = wire.event("error", code=code, message="Not today.\x07")
    async with talk(Keeper(wire.streamed(content))) as (backend, _, journal):
        with pytest.raises(kind, match=r"while asking 'travel-guide': the server gives up.*: Not today.") as caught:
            await backend.ask(wire.question())
        assert caught.value.code == code
        assert (journal.live, journal.unclear) == ((), ())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401, "Incorrect API key."), KeyRejected),
        (refusal(400, "Unsupported parameter: 'temperature'."), RemoteError),
        (refusal(404, "The model 'gpt-0' does not exist.", "model_not_found"), RemoteMissing),
        (refusal(429, "You exceeded your quota.", "insufficient_quota"), RateLimited),
    ],
)
async def test_a_refused_response_leaves_nothing_unclear(talk, answer, kind):
    async with talk(Keeper(answer)) as (backend, server, journal):
        with pytest.raises(kind):
            await backend.ask(wire.question())
        assert (server.calls, journal.live, journal.unclear) == (["POST /responses"], (), ())


@pytest.mark.fault("N1")
async def test_too_many_requests_are_followed_by_the_pause_asked_for(talk):
    async with talk(Keeper(refusal(429, "Slow down.", retry_after="1"), ANSWERED)) as (backend, server, journal):
        assert (await backend.ask(wire.question())).ending is Ending.ANSWERED
        assert (len(server.calls), journal.unclear) == (2, ())


@pytest.mark.fault("N10")
@pytest.mark.parametrize(
    "answer",
    [
        [CLOSE],
        [wire.SSE_HEAD, CLOSE],
        wire.streamed(b""),
        wire.streamed(b": only a comment\n\n"),
        wire.streamed(b"data: [DONE]\n\n"),
        wire.streamed(b"data: {not json}\n\n"),
        wire.streamed(b"data: [1]\n\n"),
        reply("<html>Sign in</html>"),
        reply({}),
        refusal(500, "Oops."),
        [CUT_OFF % b"200 OK", CLOSE],
        [CUT_OFF % b"500 No", CLOSE],
    ],
    ids="closed,head,nothing,comment,done,no JSON,a list,a page,empty object,500,half of it,half a refusal".split(","),
)
async def test_an_answer_that_names_no_response_is_unclear_and_never_sent_again(talk, answer):
    async with talk(Keeper(answer)) as (backend, server, journal):
        with pytest.raises(UnclearOutcome, match="whether the response exists now is unknown"):
            await backend.ask(wire.question())
        assert server.calls == ["POST /responses"]
        assert [(one.kind, one.label) for one in journal.unclear] == [(Kind.RESPONSE, "travel-guide")]


# S6: streams that are not as they should be (where they may be cut: tests/contract) -------------------------------


DELTA = wire.event("response.output_text.delta", delta="It is 1000.", sequence_number=1)
OTHER = wire.response(wire.message("It is 1000."), id="resp_other")


@pytest.mark.parametrize(
    "content",
    [
        wire.created(ANSWERED) * 2 + DELTA * 3 + wire.ended(ANSWERED) * 2,
        wire.ended(ANSWERED) + DELTA + wire.created(ANSWERED),
        DELTA + wire.created(ANSWERED) + wire.event("response.new.thing", response=7) + wire.ended(ANSWERED),
        wire.created(ANSWERED) + b"event: ping\ndata: {}\n\n: hello\n\n" + wire.ended(ANSWERED),
        STREAM + b"data: [DONE]\n\n" + wire.ended(wire.response(wire.message("It is 1000."))),
        STREAM + b"data: [DONE]\n\ndata: {nonsense\n\n",
        wire.created(ANSWERED) + wire.ended(OTHER) + wire.ended(ANSWERED),
        wire.created(ANSWERED) + wire.event("error", message="a hiccup", code=None) + wire.ended(ANSWERED),
    ],
    ids=["doubled", "backwards", "unknown", "pings", "after done", "nonsense after done", "another's", "hiccup"],
)
async def test_s6_a_stream_in_disorder_gives_the_same_answer(talk, content):
    async with talk(Keeper(wire.streamed(content))) as (backend, server, _):
        run = await backend.ask(wire.question())
        assert (run.ending, run.text) == (Ending.ANSWERED, "It is 39.25.")
        assert server.calls == ["POST /responses"]


@pytest.mark.parametrize(
    "content",
    [
        wire.created(ANSWERED) + DELTA,
        wire.created(ANSWERED) + DELTA + b"data: [DONE]\n\n",
        STREAM + wire.ended(wire.response(wire.message("It is 1000."))),
        STREAM + wire.ended(wire.response(status="failed", error={"code": "server_error", "message": "no"})),
        STREAM + wire.event("error", message="no", code="server_error"),
        wire.created(ANSWERED) + wire.ended(OTHER),
        wire.created(ANSWERED) + wire.ended(wire.response(status="in_progress"), "response.completed"),
        wire.created(ANSWERED) + wire.ended({**ANSWERED, "output": "text"}),
        wire.created(ANSWERED) + b"data: {half\n\n" + wire.ended(ANSWERED),
        wire.created(ANSWERED) + b"data: \xff\n\n" + wire.ended(ANSWERED),
    ],
    ids=[
        "no end",
        "done without an end",
        "two answers",
        "two endings",
        "an error after the end",
        "only another's end",
        "an end that is none",
        "an end without an answer",
        "half an event",
        "no UTF-8",
    ],
)
@pytest.mark.parametrize("is_rude", [False, True])
async def test_s6_where_the_stream_can_t_be_believed_the_response_is_read_again(talk, content, is_rude):
    moves = wire.cut(content) if is_rude else wire.streamed(content)
    async with talk(Keeper(moves, kept=[ANSWERED])) as (backend, server, journal):
        run = await backend.ask(wire.question())
        assert (run.ending, run.text) == (Ending.ANSWERED, "It is 39.25.")
        assert server.calls == ["POST /responses", "GET /responses/resp_1"]
        assert journal.live == ((Kind.RESPONSE, "resp_1"),)


async def test_s6_a_second_ending_is_seen_although_it_comes_after_the_first(talk):
    late = wire.chunk(wire.ended(wire.response(wire.message("It is 1000."))))
    async with talk(Keeper(wire.streamed(STREAM, 0.0, late), kept=[ANSWERED]), hurried=False) as (backend, server, _):
        assert (await backend.ask(wire.question())).text == "It is 39.25."
        assert server.calls == ["POST /responses", "GET /responses/resp_1"]


async def test_s6_what_a_stream_says_after_its_answer_was_taken_is_said_to_nobody(talk):
    late = wire.chunk(wire.ended(wire.response(wire.message("It is 1000."))))
    troubles: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble["message"]))
    async with talk(Keeper(wire.streamed(STREAM, 0.1, late, 0.1, late)), hurried=False) as (backend, _, _):
        assert (await backend.ask(wire.question())).text == "It is 39.25."
        await asyncio.sleep(0.25)
    gc.collect()
    assert "Task exception was never retrieved" not in troubles


async def test_s6_a_server_that_does_not_hang_up_is_not_waited_for(talk):
    async with talk(Keeper(wire.streamed(STREAM, 30.0)), hurried=False) as (backend, _, _):
        run = await asyncio.wait_for(backend.ask(wire.question()), 5)
    assert run.ending is Ending.ANSWERED
    assert run.duration_s < 0.3


async def test_s6_a_connection_whose_stream_ends_after_its_answer_is_used_again(talk):
    async with talk(Keeper(wire.streamed(STREAM, 0.05, b"")), hurried=False) as (backend, server, _):
        for _ in range(2):
            assert (await backend.ask(wire.question())).ending is Ending.ANSWERED
            await asyncio.sleep(0.15)
        assert (len(server.seen), server.connections) == (2, 1)


async def test_s6_a_connection_whose_stream_was_read_to_its_end_is_used_again(talk):
    async with talk(Keeper(ANSWERED)) as (backend, server, _):
        for _ in range(5):
            await backend.ask(wire.question())
        assert (len(server.seen), server.connections) == (5, 1)


async def test_s6_a_cut_stream_without_a_memory_behind_it_is_an_error(talk):
    content = wire.created(ANSWERED) + DELTA
    for moves in (wire.cut(content), wire.streamed(content)):
        async with talk(Keeper(moves, kept=[ANSWERED]), history=History.REPLAY) as (backend, server, _):
            with pytest.raises(RemoteError, match=r"while asking 'travel-guide': the (connection|stream) "):
                await backend.ask(wire.question())
            assert server.calls == ["POST /responses"]


async def test_s6_a_server_that_does_not_stream_is_understood(talk):
    async with talk(Keeper(reply(ANSWERED))) as (backend, server, _):
        assert (await backend.ask(wire.question())).text == "It is 39.25."
        assert server.calls == ["POST /responses"]


@pytest.mark.fault("N5")
async def test_s6_an_endless_stream_is_cut_off(talk, monkeypatch):
    monkeypatch.setattr("runner.backends._sdk.LARGEST_ANSWER_BYTES", 1_000_000)
    flood = [wire.SSE_HEAD + wire.chunk(wire.created(ANSWERED)), *[wire.chunk(b"x" * 0x10000)] * 40]
    async with talk(Keeper(flood, kept=[ANSWERED])) as (backend, server, _):
        assert (await backend.ask(wire.question())).text == "It is 39.25."
        assert server.calls == ["POST /responses", "GET /responses/resp_1"]


# S8 and S9: answers that are none --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "ending"),
    [
        ([], Ending.EMPTY),
        ([{"type": "reasoning", "summary": []}], Ending.EMPTY),
        ([wire.refused("No.")], Ending.REFUSED),
    ],
)
async def test_s8_a_completed_response_without_an_answer_is_none(talk, output, ending):
    async with talk(Keeper(wire.response(*output, usage=None))) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert (run.ending, run.usage) == (ending, None)


async def test_s9_another_response_s_state_is_not_taken_for_this_one_s(talk):
    keeper = Keeper(wire.cut(wire.created(ANSWERED)))
    keeper.looks["resp_1"] = [OTHER]
    async with talk(keeper) as (backend, _, _):
        with pytest.raises(RemoteError, match="is not the API's answer: it is the response resp_other"):
            await backend.ask(wire.question())


# S11: the container of the code interpreter (S12, MCP servers, is in test_responses_hosted_tools.py) ---------------


EXPIRED = "Container is expired."
FAILED = wire.response(status="failed", error={"code": "server_error", "message": EXPIRED})


@pytest.mark.parametrize("first", [refusal(400, EXPIRED), FAILED], ids=["refused", "failed"])
async def test_s11_an_expired_container_is_replaced_once_and_that_is_shown(talk, first):
    async with talk(Keeper(first, wire.response(wire.message(), id="resp_2"))) as (backend, server, _):
        run = await backend.ask(wire.question(tools=wire.TOOLS))
        assert (run.ending, server.calls) == (Ending.ANSWERED, ["POST /responses"] * 2)
    (note,) = run.steps
    assert (note.tool, note.completed) == ("code_interpreter", False)
    assert note.output.startswith("its container had expired")


async def test_s11_a_container_that_expires_twice_is_an_error(talk):
    async with talk(Keeper(refusal(400, EXPIRED))) as (backend, server, _):
        with pytest.raises(RemoteError, match=EXPIRED):
            await backend.ask(wire.question())
        assert len(server.calls) == 2
