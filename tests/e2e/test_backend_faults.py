"""What the client does when the network or the API goes wrong: real sockets, exact bytes."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import assistants_wire as wire
import httpx2
import openai
import pytest
from backend_talk import KEY, NEW, always, each, hurry, talking
from wire_server import CLOSE, RESET, Seen, refusal, reply, wire_server

from runner.backends import GATE, Endpoint, _sdk
from runner.backends._failures import Translator
from runner.backends.assistants.backend import open_backend
from runner.domain.conversation import FileId, ThreadId
from runner.domain.plan import Kind
from runner.errors import (
    KeyRejected,
    RateLimited,
    RemoteError,
    RemoteMissing,
    RemoteUnreachable,
    UnclearOutcome,
    UsageError,
)
from runner.journal import Journal

OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(talking, tmp_path)


# Creates ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("N4")
@pytest.mark.parametrize(
    "moves",
    [[CLOSE], [RESET], [b"HTTP/1.1 2"], [OK_HEAD + b"content-length: 99\r\n\r\n{"], reply({}), reply("nonsense")]
    + [refusal(status, "Oops.") for status in (500, 503)]
    + [reply("<html>Bad gateway</html>", 502)],
    ids=["closed", "reset", "half a head", "half a body", "empty object", "no JSON", "500", "503", "502 page"],
)
async def test_a_create_whose_answer_is_lost_is_sent_once_and_stays_unclear(talk, moves):
    async with talk(lambda _seen: [*moves, CLOSE]) as (backend, server, journal):
        with pytest.raises(
            UnclearOutcome, match=r"while creating the assistant 'travel-guide': .*exists now is unknown"
        ):
            await backend.create_assistant(NEW, {"runner.address": "travel-guide"})
        assert server.calls == ["POST /assistants"]
        assert [(one.kind, one.label) for one in journal.unclear] == [(Kind.ASSISTANT, "travel-guide")]


@pytest.mark.fault("N9")
async def test_a_create_that_is_refused_leaves_nothing_unclear(talk):
    async with talk(always(*refusal(400, "Unknown parameter: 'x'."))) as (backend, server, journal):
        with pytest.raises(RemoteError, match=r"refuses the request \(400\): Unknown parameter: 'x'.") as caught:
            await backend.create_assistant(NEW, {})
        assert caught.value.status == 400
        assert (len(server.seen), journal.unclear, journal.live) == (1, (), ())


async def test_a_create_whose_answer_is_malformed_after_its_id_is_known_to_exist(talk):
    async with talk(always(*reply({"id": "asst_9"}))) as (backend, _, journal):
        with pytest.raises(UnclearOutcome):
            await backend.create_assistant(NEW, {})
        assert journal.live == ((Kind.ASSISTANT, "asst_9"),)


async def test_a_create_that_is_one_too_many_is_sent_again_after_the_pause_asked_for(talk):
    answers = each(refusal(429, "Slow down.", retry_after="1"), reply(wire.assistant()))
    async with talk(answers) as (backend, server, journal):
        assert (await backend.create_assistant(NEW, {})).id == "asst_1"
        assert len(server.seen) == 2
        assert journal.live == ((Kind.ASSISTANT, "asst_1"),)


class Shut:
    """A gate that lets nothing out, or nothing for long."""

    def __init__(self, waits_s: float = 0.0) -> None:
        self._waits_s = waits_s

    async def enter(self, within_s: float) -> None:
        await asyncio.sleep(self._waits_s)
        raise RateLimited("not now")


@pytest.mark.parametrize("waits_s", [0.0, 60.0])
async def test_a_create_that_the_gate_never_let_out_leaves_nothing_unclear(talk, waits_s):
    async with talk(always(*reply(wire.run()))) as (backend, server, journal):
        token = GATE.set(Shut(waits_s))
        try:
            with pytest.raises(RateLimited if not waits_s else TimeoutError):
                async with asyncio.timeout(0.1):
                    await backend.ask(wire.question())
        finally:
            GATE.reset(token)
        assert (server.calls, journal.unclear) == ([], ())


async def test_an_interrupted_create_waits_for_its_answer_so_that_it_can_be_removed(talk):
    async with talk(lambda _seen: [0.2, *reply(wire.run("queued"))], hurried=False) as (backend, server, journal):
        asking = asyncio.ensure_future(backend.ask(wire.question()))
        await asyncio.wait_for(server.asked.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert journal.live == ((Kind.THREAD, "thread_1"),)
        assert server.calls == ["POST /threads/runs"]


@pytest.mark.fault("N5")
async def test_an_answer_that_drips_in_ends_at_the_deadline(talk):
    drip = [OK_HEAD + b"content-length: 3000\r\n\r\n", *[move for _ in range(3_000) for move in (b" ", 0.05)]]
    async with talk(always(*drip), hurried=False) as (backend, server, journal):
        with pytest.raises(UnclearOutcome, match="while asking 'travel-guide' in a new thread: no complete answer"):
            await backend.ask(wire.question(deadline_s=0.3))
        assert len(server.seen) == 1
        assert [(one.kind, one.label) for one in journal.unclear] == [(Kind.THREAD, "travel-guide")]


# Reads -----------------------------------------------------------------------------------------------------------


@pytest.mark.fault("N4", "N5")
@pytest.mark.parametrize(
    "moves",
    [
        [RESET],
        [CLOSE],
        [b"HTTP/1.1 200 O", CLOSE],
        [OK_HEAD + b"content-length: 99\r\n\r\n{", CLOSE],
        [OK_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", CLOSE],
        [OK_HEAD + b"x" * 200_000, CLOSE],
        [b"garbage\r\n\r\n", CLOSE],
    ],
    ids=["reset", "closed", "in the head", "short body", "bad chunk", "endless header", "no HTTP"],
)
async def test_a_read_that_breaks_off_is_tried_three_times_and_then_explained(talk, moves):
    async with talk(always(*moves)) as (backend, server, _):
        with pytest.raises(RemoteUnreachable, match=r"while listing the assistants: the connection to .* broke"):
            await backend.list_assistants()
        assert len(server.seen) == 3


async def test_a_read_that_breaks_off_once_is_not_noticed(talk):
    async with talk(each([RESET], refusal(503, "Busy."), reply(wire.page(wire.assistant())))) as (backend, _, _):
        assert len(await backend.list_assistants()) == 1


@pytest.mark.fault("N10")
@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<html>Sign in</html>", "it is a web page"),
        ("", "it is empty"),
        ("{", "it is not JSON"),
        ("[]", "it is a list, not an object"),
        ("null", "not an object"),
        ({}, "it has no list 'data'"),
        ({"data": [7]}, "not a list of objects"),
        (wire.page({"id": "run_1", "object": "thread.run"}), "its 'created_at' is missing"),
        (wire.page(wire.assistant(created_at="x")), "its 'created_at' is text"),
    ],
    ids=["HTML", "nothing", "half", "list", "null", "empty", "numbers", "another object", "wrong type"],
)
async def test_an_answer_that_is_not_the_api_s_says_so(talk, body, what):
    async with talk(always(*reply(body))) as (backend, server, _):
        with pytest.raises(RemoteUnreachable, match=f"is not the API's answer: .*({what})"):
            await backend.list_assistants()
        assert len(server.seen) == 1


@pytest.mark.fault("N4")
async def test_a_compressed_answer_is_refused_before_it_can_grow(talk):
    moves = [OK_HEAD + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nabcde"]
    async with talk(always(*moves)) as (backend, _, _):
        with pytest.raises(RemoteUnreachable, match="it is compressed although that was ruled out"):
            await backend.list_assistants()


@pytest.mark.fault("N5")
@pytest.mark.parametrize("head", [b"content-length: 1000000000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"])
async def test_an_endless_answer_is_cut_off(talk, monkeypatch, head):
    monkeypatch.setattr(_sdk, "LARGEST_ANSWER_BYTES", 1_000_000)
    chunks = [b"10000\r\n" + b" " * 0x10000 + b"\r\n"] * 100
    async with talk(always(OK_HEAD + head, *chunks)) as (backend, _, _):
        with pytest.raises(RemoteUnreachable, match="it is larger than"):
            await backend.list_assistants()


@pytest.mark.fault("N11")
@pytest.mark.parametrize(
    "pages",
    [
        [{"data": [], "has_more": True}],
        [wire.page(wire.assistant(), has_more=True)],
        [{"data": [wire.assistant(id="a"), wire.assistant(id="b")], "has_more": True, "last_id": "x"}],
    ],
    ids=["an empty page", "the same page", "the same cursor"],
)
async def test_a_list_that_never_ends_is_an_error(talk, pages):
    async with talk(each(*[reply(page) for page in pages])) as (backend, server, _):
        with pytest.raises(RemoteError, match="while listing the assistants: the server says that its list goes on"):
            await backend.list_assistants()
        assert len(server.seen) <= 2


async def test_a_long_list_is_read_to_its_end(talk):
    pages = [wire.page(wire.assistant(id=f"asst_{n}"), has_more=n < 4) for n in range(5)]
    async with talk(each(*map(reply, pages))) as (backend, server, _):
        assert [one.id for one in await backend.list_assistants()] == [f"asst_{n}" for n in range(5)]
        assert [seen.query.get("after") for seen in server.seen] == [None, *([f"asst_{n}"] for n in range(4))]


# Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.fault("N1")
@pytest.mark.parametrize(
    ("headers", "pauses"),
    [
        ({"retry_after": "3"}, [3.0, 3.0]),
        ({"retry_after_ms": "40"}, [0.04, 0.04]),
        ({}, [0.25, 0.5]),
        ({"retry_after": "soon"}, [0.25, 0.5]),
        ({"retry_after": "-9"}, [0.25, 0.5]),
    ],
)
async def test_too_many_requests_are_followed_by_the_pause_asked_for(tmp_path, headers, pauses):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    busy = refusal(429, "Slow down.", **headers)
    async with wire_server(each(busy, busy, reply(wire.page()))) as server:
        with Journal(tmp_path / "journal.jsonl") as journal:
            async with open_backend(Endpoint(base_url=server.url, key=KEY), journal, sleep=sleep) as backend:
                assert await backend.list_assistants() == ()
    # A little longer, by chance: those who were refused together must not come back together.
    assert [told <= pause <= told * 1.25 for pause, told in zip(slept, pauses, strict=True)] == [True, True]


async def test_a_server_that_asks_for_no_pause_at_all_is_not_hammered(tmp_path):
    now_s, busy = [0.0], refusal(429, "Slow down.", retry_after="0")

    async def sleep(seconds: float) -> None:
        now_s[0] += seconds

    def answer(_seen: Seen) -> list:
        return busy if len(server.seen) < 100 else [CLOSE]

    async with wire_server(answer) as server:
        with Journal(tmp_path / "journal.jsonl") as journal:
            endpoint = Endpoint(base_url=server.url, key=KEY)
            async with open_backend(endpoint, journal, clock=lambda: now_s[0], sleep=sleep) as backend:
                with pytest.raises(RateLimited):
                    await backend.list_assistants()
        assert len(server.seen) < 20


@pytest.mark.fault("N1")
@pytest.mark.parametrize(
    ("told", "shown"), [("3600", "3600 s"), ("1e999", "for more than a day"), ("1e200", "for more than a day")]
)
async def test_a_pause_longer_than_the_time_left_is_named_at_once(talk, told, shown):
    async with talk(always(*refusal(429, "Slow down.", retry_after=told))) as (backend, server, _):
        with pytest.raises(RateLimited, match=f"too many requests, and the server asks to wait {shown}"):
            await backend.list_assistants()
        assert len(server.seen) == 1


@pytest.mark.fault("N2")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(429, "You exceeded your current quota.", "insufficient_quota"), "the quota is used up"),
        (refusal(429, "Request too large for gpt-6."), "the request exceeds the rate limit by itself"),
    ],
)
async def test_what_waiting_can_t_mend_is_asked_once(talk, answer, words):
    async with talk(always(*answer)) as (backend, server, _):
        with pytest.raises(RateLimited, match=words):
            await backend.list_assistants()
        assert len(server.seen) == 1


@pytest.mark.fault("N9")
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, KeyRejected, r"the key was rejected; is it whole, and for this server\? \(401\)"),
        (403, KeyRejected, r"the key has no permission for this; give it one, or use another \(403\)"),
        (409, RemoteError, r"it is in conflict with another change \(409\)"),
        (413, RemoteError, r"it is too large for the server \(413\)"),
        (422, RemoteError, r"the server can't process the request \(422\)"),
        (418, RemoteError, r"the server refuses the request \(418\)"),
    ],
)
async def test_refusals_have_words_of_their_own_and_are_not_repeated(talk, status, kind, words):
    said = f"Incorrect API key provided: {KEY}.\nSee\x07 elsewhere."
    async with talk(always(*refusal(status, said))) as (backend, server, _):
        with pytest.raises(kind, match=f"while listing the assistants: {words}") as caught:
            await backend.list_assistants()
        assert len(server.seen) == 1
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": 5, "code": ["a"], "type": {}, "param": []}}, r"refuses the request \(400\)$"),
        ({"error": "it is loading"}, "it is loading"),
        ({"detail": [{"loc": ["body"], "msg": "Field required"}]}, "Field required"),
        ({"error": {"message": "wrong", "code": 400}}, "wrong"),
    ],
)
async def test_a_refusal_in_a_form_of_its_own_is_told_as_far_as_it_says_something(talk, body, words):
    async with talk(always(*reply(body, 400))) as (backend, _, _):
        with pytest.raises(RemoteError, match=words):
            await backend.list_assistants()


@pytest.mark.fault("N3")
async def test_a_web_page_in_place_of_a_refusal_is_not_taken_for_the_api_s(talk):
    async with talk(always(*reply("<html>Access denied</html>", 403))) as (backend, _, _):
        with pytest.raises(RemoteUnreachable, match="answered 403 with a web page: is a proxy in between"):
            await backend.list_assistants()


@pytest.mark.fault("N3")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_that_keeps_failing_is_named_with_its_words(talk, status):
    async with talk(always(*refusal(status, "Oops."))) as (backend, server, _):
        with pytest.raises(RemoteError, match=rf"the server failed \({status}\): Oops."):
            await backend.list_assistants()
        assert len(server.seen) == 3


@pytest.mark.fault("N3")
@pytest.mark.parametrize("status", [502, 504])
async def test_a_page_for_a_failed_server_is_tried_again_and_not_shown_as_it_is(talk, status):
    async with talk(always(*reply("<html><h1>Bad gateway</h1></html>", status))) as (backend, server, _):
        with pytest.raises(RemoteError, match=str(status)) as caught:
            await backend.list_assistants()
        assert (len(server.seen), "<html>" in str(caught.value)) == (3, False)


@pytest.mark.fault("N12")
@pytest.mark.parametrize("by_s", [86_400.0, -86_400.0])
async def test_a_wall_clock_that_jumps_neither_ends_a_run_early_nor_keeps_a_stuck_one(talk, monkeypatch, by_s):
    real, calls = time.time, []

    def jumping() -> float:
        calls.append(1)
        return real() + by_s * len(calls)

    answers = each(reply(wire.run("queued")), reply(wire.run("in_progress")), reply(wire.run()))
    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr("runner.backends.assistants.backend.CANCELLING_S", 0.3)  # which is waited for to its end
    async with talk(answers, hurried=False) as (backend, _, _):
        began = time.monotonic()
        with pytest.raises(RemoteError, match="reading the results"):  # it was waited for to its end
            await backend.ask(wire.question(deadline_s=30.0))
    async with talk(always(*reply(wire.run("in_progress"))), hurried=False) as (backend, _, _):
        run = await backend.ask(wire.question(deadline_s=0.3))
    assert run.error.startswith("the run was still 'in_progress' after 0 s")
    assert 0.3 <= time.monotonic() - began < 25


@pytest.mark.fault("N8")
async def test_an_assistant_that_was_deleted_behind_our_back_is_missing(talk):
    async with talk(always(*refusal(404, "No assistant found with id 'asst_1'."))) as (backend, _, journal):
        with pytest.raises(RemoteMissing, match=r"it is not there \(404\): No assistant found"):
            await backend.ask(wire.question())
        assert journal.unclear == ()


@pytest.mark.fault("N8")
async def test_a_model_that_does_not_exist_is_named(talk):
    answer = refusal(400, "The requested model 'gpt-5000' does not exist.", "model_not_found")
    async with talk(always(*answer)) as (backend, _, _):
        with pytest.raises(RemoteMissing, match=r"the model is not there; .*gpt-5000"):
            await backend.create_assistant(NEW, {})


async def test_a_server_without_this_api_is_named(talk):
    async with talk(always(*reply({"detail": "Not Found"}, 404))) as (backend, server, _):
        with pytest.raises(RemoteMissing, match=f"{server.url} has no /assistants; is this the right API"):
            await backend.list_assistants()


@pytest.mark.fault("N8")
@pytest.mark.parametrize("host", ["api.openai.com", "mine.openai.azure.com"])
def test_the_shut_down_api_is_named_with_its_successor(host):
    url = f"https://{host}/v1"
    response = httpx2.Response(404, request=httpx2.Request("GET", f"{url}/assistants"), json={"error": {}})
    error = openai.NotFoundError("gone", response=response, body={})
    translator = Translator(base_url=url, clean=str, now=time.time, key="the key")
    failure = translator.explain(error, "listing the assistants", "/assistants")
    assert isinstance(failure.error, RemoteMissing)
    assert "shut the Assistants API down on 2026-08-26; use its successor, `api: responses`" in str(failure.error)


async def test_deleting_what_is_gone_already_is_fine(talk):
    async with talk(always(*refusal(404, "No such File object: file-1"))) as (backend, _, _):
        await backend.files.delete_file(FileId("file-1"))
        await backend.delete_thread(ThreadId("thread_1"))


# Where requests go -----------------------------------------------------------------------------------------------


@pytest.mark.fault("N6")
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9/v1", "nothing answers at http://127.0.0.1:9/v1: is the server up?"),
        ("https://nowhere.invalid/v1", "the host name 'nowhere.invalid' can't be found"),
    ],
)
async def test_a_server_that_is_not_there_is_named(tmp_path, url, words):
    with Journal(tmp_path / "journal.jsonl") as journal:
        async with open_backend(Endpoint(base_url=url, key=KEY), journal, sleep=hurry) as backend:
            with pytest.raises(RemoteUnreachable) as caught:
                await backend.create_assistant(NEW, {})
        assert journal.unclear == ()
    assert str(caught.value) == f"while creating the assistant 'travel-guide': {words}"


@pytest.mark.fault("N6")
async def test_a_certificate_that_is_not_trusted_ends_it_at_once(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=_self_signed(tmp_path))
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    attempts = await _count_handshakes(server, url, tmp_path)
    assert attempts == 1


@pytest.mark.fault("N6")
async def test_plain_http_behind_an_https_address_is_a_failed_secure_connection(tmp_path):
    async def speak_plainly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply({}, 400)[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        with Journal(tmp_path / "journal.jsonl") as journal:
            async with open_backend(Endpoint(base_url=url, key=KEY), journal, sleep=hurry) as backend:
                with pytest.raises(RemoteUnreachable, match=r"no secure connection to 127.0.0.1"):
                    await backend.list_assistants()


@pytest.mark.fault("N13")
async def test_a_redirect_to_another_place_is_not_followed(talk):
    async with wire_server(always(*reply(wire.page()))) as elsewhere:
        location = f"{elsewhere.url}/assistants"
        async with talk(always(*reply("", 307, location=location))) as (backend, server, _):
            with pytest.raises(RemoteError, match=r"redirects to http://127.0.0.1:\d+, which is not followed"):
                await backend.list_assistants()
            with pytest.raises(RemoteError, match="redirects to"):
                await backend.create_assistant(NEW, {})
            assert len(server.seen) == 2
        assert elsewhere.seen == []


@pytest.mark.fault("N13")
async def test_a_proxy_from_the_environment_does_not_get_between_us_and_this_machine(talk, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with talk(always(*reply(wire.page()))) as (backend, _, _):
        assert await backend.list_assistants() == ()


async def test_what_the_environment_holds_for_openai_stays_away_from_other_servers(talk, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: secret\nAuthorization: Bearer sk-other")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-private")
    async with talk(always(*reply(wire.page()))) as (backend, server, _):
        await backend.list_assistants()
        sent = str(server.seen[0].headers)
    assert f"Bearer {KEY}" in sent
    assert not [word for word in ("private", "secret", "sk-other") if word in sent]


@pytest.mark.fault("N13")
@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        (None, "sk-canary\n1234567890", "a space or a line break"),
        (None, " sk-canary-1234567890", "a space or a line break"),
        (None, "sk-canary-é1234567890", "not printable ASCII"),
        (None, "sk-canary-\x001234567890", "not printable ASCII"),
        ("http://models.example/v1", KEY, "would send the key unencrypted; use https"),
        ("http://10.0.0.7:8000/v1", KEY, "would send the key unencrypted; use https"),
        ("ftp://host/v1", KEY, "is no address"),
        ("127.0.0.1:8000/v1", KEY, "is no address"),
        ("http://host:port/v1", KEY, "is no address"),
        ("https://user:pass@host/v1", KEY, "has a user name or password in it"),
    ],
)
async def test_a_key_or_address_that_can_t_be_used_is_found_before_anything_is_sent(tmp_path, url, key, words):
    with Journal(tmp_path / "journal.jsonl") as journal, pytest.raises(UsageError, match=words) as caught:
        async with open_backend(Endpoint(base_url=url, key=key), journal):
            pass
    assert "canary" not in str(caught.value)


async def test_plain_http_without_a_key_may_go_anywhere(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        for key in ("", "none"):
            async with open_backend(Endpoint(base_url="http://10.0.0.7:8000/v1", key=key), journal):
                pass


def _self_signed(folder: Path) -> ssl.SSLContext:
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.fault("N6")
@pytest.mark.parametrize(
    ("days", "host", "words"), [((-9, -2), "127.0.0.1", "certificate has expired"), ((-1, 9), "127.0.0.2", "mismatch")]
)
async def test_a_trusted_certificate_that_is_over_or_another_hosts_ends_it_too(
    tmp_path, monkeypatch, days, host, words
):
    context = _signed_for(tmp_path, days, host)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    assert await _count_handshakes(server, url, tmp_path, words) == 1


def _signed_for(folder: Path, days: tuple[int, int], host: str) -> ssl.SSLContext:
    """A certificate that signs itself, from and to so many days from now."""
    x509 = pytest.importorskip("cryptography.x509")
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now + timedelta(days[0])).not_valid_after(now + timedelta(days[1]))
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "cert.pem").write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def _count_handshakes(server: asyncio.Server, url: str, folder: Path, words: str = "") -> int:
    """Read through an address whose certificate isn't trusted; how often that was tried."""
    pauses = 0

    async def count(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1

    with Journal(folder / "journal.jsonl") as journal:
        async with open_backend(Endpoint(base_url=url, key=KEY), journal, sleep=count) as backend:
            with pytest.raises(RemoteUnreachable, match=f"the certificate of 127.0.0.1 can't be trusted: .*{words}"):
                await backend.list_assistants()
    server.close()
    return pauses + 1
