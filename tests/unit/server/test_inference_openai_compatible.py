"""A chat-completions endpoint as the brain: what is sent to it, and what its replies and faults come to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_server import CLOSE, RESET, Seen, WireServer, refusal, reply, wire_server

from runner.errors import UsageError
from runner.server.inference import (
    Answer,
    BreakOff,
    Fail,
    FunctionRequest,
    GivenFile,
    OfferedFunction,
    Passage,
    Refuse,
    Role,
    Scene,
    SceneMessage,
    SourceMark,
    Spent,
    ToolOutcome,
    ToolRequest,
    Turnout,
    UseTools,
)
from runner.server.inference.openai_compatible import OpenAICompatibleInference, create
from runner.server.inference.openai_compatible.reply import LONGEST_REPLY_CHARACTERS, MarkReader, NoReply, Reply

KEY = "sk-canary-0123456789"
CUT = b"HTTP/1.1 200 X\r\ncontent-length: 99\r\ncontent-type: application/json\r\n\r\n{"
CHUNKED = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
RATE = OfferedFunction(name="rate", description="An exchange rate.", parameters={"type": "object"}, strict=True)
SEARCH = ToolRequest(tool="file_search", arguments={"queries": ["burger"]})
MENU = Passage(file_id="file-1", filename="menu.pdf", score=0.9, text="Burger 23.75")
MAP = Passage(file_id="file-2", filename="map.md", score=0.5, text="Turn left.")


def scene(question: str = "How much?", **given: object) -> Scene:
    fields: dict[str, object] = {
        "model": "asked-for",
        "instructions": "You are a travel guide.",
        "tools": frozenset({"file_search", "code_interpreter"}),
        "messages": (SceneMessage(role=Role.USER, text=question),),
        "has_documents": True,
    }
    return Scene(**{**fields, **given})  # type: ignore[arg-type]


def completion(finish: str = "stop", **message: object) -> dict:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": None, **message}}
    return {"id": "c", "object": "chat.completion", "model": "llama3.2:3b", "choices": [choice], "usage": USAGE}


def call(name: str, arguments: object, call_id: str = "c1") -> dict:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def stream(*deltas: dict, finish: str | None = "stop", done: bool = True) -> list:
    """Chunks, each sent by itself, then the connection's end."""
    events = [{"model": "llama3.2:3b", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if finish:
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        events.append({"choices": [], "usage": USAGE})
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"] * done
    return [b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n", *lines, CLOSE]


@asynccontextmanager
async def endpoint(*replies: list, **settings: object) -> AsyncIterator[tuple[WireServer, OpenAICompatibleInference]]:
    """An endpoint that gives these replies, one after the other, and the inference that asks it."""
    left = list(replies)
    async with wire_server(lambda _: left.pop(0)) as server:
        inference = create({"base_url": server.url, **settings})
        assert isinstance(inference, OpenAICompatibleInference)
        try:
            yield server, inference
        finally:
            await inference.close()


async def decide(given: Scene, *replies: list, **settings: object) -> tuple[Turnout, list[Seen]]:
    async with endpoint(*replies, **settings) as (server, inference):
        turnout = await inference.decide(given)
        return turnout, server.seen


async def decide_aloud(given: Scene, *replies: list) -> tuple[Turnout, list[str]]:
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    async with endpoint(*replies) as (_, inference):
        return await inference.decide_aloud(given, hear), heard


@pytest.mark.parametrize(
    ("text", "fence"),
    [("Burger 23.75", "```"), ("a `quoted` word", "```"), ("```\ncode\n```", "````"), ("`" * 9, "`" * 10)],
)
async def test_a_given_file_stands_before_the_question_between_fences_that_it_does_not_have(
    text: str, fence: str
) -> None:
    file = GivenFile(file_id="f", filename='menu\n"1".txt', text=text)
    message = SceneMessage(role=Role.USER, text="How much?", filenames=(file.filename, "data.csv"), files=(file,))
    _, (seen,) = await decide(scene(messages=(message,)), reply(completion(content="39.25")))

    written = f'[file: "menu\\n\\"1\\".txt"]\n{fence}\n{text}\n{fence}\n\nHow much?\n\n[attached: data.csv]'
    assert seen.json["messages"][-1] == {"role": "user", "content": written}


async def test_no_certificates_are_loaded_for_a_model_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: pytest.fail("they were loaded"))
    _, seen = await decide(scene(), reply(completion(content="39.25")))
    assert len(seen) == 1


async def test_a_scene_is_sent_as_messages_tools_and_settings() -> None:
    given = scene(
        messages=(
            SceneMessage(role=Role.USER, text="Hello."),
            SceneMessage(role=Role.ASSISTANT, text="Hello!"),
            SceneMessage(role=Role.USER, text="How much?", filenames=("menu.pdf",)),
            SceneMessage(role=Role.USER, text="Quickly."),
        ),
        functions=(RATE,),
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        temperature=0.2,
        top_p=0.9,
        reasoning_effort="low",
        verbosity="high",
        max_output_tokens=100,
    )
    turnout, (seen,) = await decide(given, reply(completion(content="39.25")), key=KEY)
    body = seen.json

    assert turnout == Turnout(move=Answer(text="39.25"), spent=Spent(input_tokens=20, output_tokens=5))
    assert str(seen) == "POST /chat/completions"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    system, *conversation = body["messages"]
    assert system["content"].startswith("You are a travel guide.\n\nPassages that file_search finds")
    assert conversation == [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "How much?\n\n[attached: menu.pdf]\n\nQuickly."},
    ]
    functions = [tool["function"] for tool in body["tools"]]
    assert [function["name"] for function in functions] == ["code_interpreter", "file_search", "rate"]
    assert functions[2] == {
        "name": "rate",
        "description": "An exchange rate.",
        "parameters": {"type": "object"},
        "strict": True,
    }
    settings = {key: value for key, value in body.items() if key not in ("messages", "tools")}
    assert settings == {
        "model": "asked-for",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "temperature": 0.2,
        "top_p": 0.9,
        "reasoning_effort": "low",
        "verbosity": "high",
        "max_tokens": 100,
    }


async def test_what_the_scene_does_not_say_is_not_sent() -> None:
    given = scene(tools=frozenset(), instructions="")
    _, (seen,) = await decide(given, reply(completion(content="x")))
    assert seen.json == {"model": "asked-for", "messages": [{"role": "user", "content": "How much?"}]}


async def test_a_model_in_the_settings_is_asked_instead_and_the_one_that_answered_is_named() -> None:
    async with endpoint(reply(completion(content="x")), model="llama3.2") as (server, inference):
        before = inference.name
        await inference.decide(scene())
        assert server.seen[0].json["model"] == "llama3.2"
        assert (before, inference.name) == ("openai_compatible (llama3.2)", "openai_compatible (llama3.2:3b)")


async def test_settings_of_openai_s_in_the_environment_stay_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Canary: {KEY}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    _, (seen,) = await decide(scene(), reply(completion(content="x")))
    assert KEY not in str(seen.headers)


@pytest.mark.parametrize(
    ("given", "choice", "names"),
    [
        ({"tool_choice": "auto"}, None, ["code_interpreter", "file_search"]),
        ({"tool_choice": "required"}, "required", ["code_interpreter", "file_search"]),
        ({"tool_choice": "none"}, None, None),
        (
            {"tool_choice": "code_interpreter"},
            {"type": "function", "function": {"name": "code_interpreter"}},
            ["code_interpreter", "file_search"],
        ),
        (
            {"tool_choice": "required", "outcomes": (ToolOutcome(request=SEARCH, completed=True),)},
            None,
            ["code_interpreter", "file_search"],
        ),
        ({"has_documents": False}, None, ["code_interpreter"]),
    ],
)
async def test_what_is_offered_and_demanded_follows_from_the_tool_choice(given, choice, names) -> None:
    _, (seen,) = await decide(scene(**given), reply(completion(content="x")))
    tools = seen.json.get("tools")
    assert seen.json.get("tool_choice") == choice
    assert (tools and [tool["function"]["name"] for tool in tools]) == names


async def test_this_run_s_calls_and_results_are_sent_with_numbered_passages() -> None:
    code = ToolRequest(tool="code_interpreter", arguments={"code": "1 +"})
    outcomes = (
        ToolOutcome(request=SEARCH, completed=True, passages=(MENU,)),
        ToolOutcome(request=code, completed=False, output="too slow"),
        ToolOutcome(request=FunctionRequest(name="rate", arguments="{}"), completed=True, output="1.08"),
        ToolOutcome(request=SEARCH, completed=True, passages=(MAP,)),
    )
    _, (seen,) = await decide(scene(outcomes=outcomes), reply(completion(content="x")))
    calls, results = seen.json["messages"][2::2], seen.json["messages"][3::2]
    assert [one["tool_calls"][0]["function"]["name"] for one in calls] == [
        "file_search",
        "code_interpreter",
        "rate",
        "file_search",
    ]
    assert [one["tool_call_id"] for one in results] == [one["tool_calls"][0]["id"] for one in calls]
    assert [one["content"] for one in results] == [
        "【1】 menu.pdf\nBurger 23.75",
        "The call failed: too slow",
        "1.08",
        "【2】 map.md\nTurn left.",
    ]


async def test_what_was_said_before_a_call_is_sent_with_it() -> None:
    outcomes = (
        ToolOutcome(request=SEARCH, completed=True, passages=(MENU,), said="Let me look."),
        ToolOutcome(request=FunctionRequest(name="rate", arguments="{}"), completed=True, output="1.08"),
    )
    _, (seen,) = await decide(scene(outcomes=outcomes), reply(completion(content="x")))
    assert [one["content"] for one in seen.json["messages"][2::2]] == ["Let me look.", ""]


async def test_calls_of_tools_and_functions_are_made_side_by_side() -> None:
    calls = [
        call("file_search", {"queries": ["burger"]}, "a"),
        call("code_interpreter", {"code": "1+1"}, "b"),
        call("rate", {"to": "USD"}, "c"),
    ]
    turnout, _ = await decide(
        scene(functions=(RATE,)), reply(completion("tool_calls", content="Let me see.", tool_calls=calls))
    )
    assert turnout.move == UseTools(
        requests=(
            SEARCH,
            ToolRequest(tool="code_interpreter", arguments={"code": "1+1"}),
            FunctionRequest(name="rate", arguments='{"to": "USD"}'),
        ),
        text="Let me see.",
    )


async def test_the_marks_that_a_model_writes_become_sources_and_unknown_ones_go() -> None:
    outcomes = (ToolOutcome(request=SEARCH, completed=True, passages=(MENU, MAP)),)
    text = "It is 23.75 【1】, left【2, 1】 of 【7】 the 【notes】 door【2†map.md】."
    turnout, _ = await decide(scene(outcomes=outcomes), reply(completion(content=text)))
    answer = turnout.move
    assert isinstance(answer, Answer)
    assert answer.text == "It is 23.75, left of the 【notes】 door."
    assert [(mark.position, mark.filename) for mark in answer.sources] == [
        (11, "menu.pdf"),
        (17, "map.md"),
        (17, "menu.pdf"),
        (37, "map.md"),
    ]


@given(st.text(alphabet="a 【】1,7†\n", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_marks_are_read_the_same_however_the_text_is_cut(text: str, cuts: list[int]) -> None:
    whole, pieces = MarkReader((MENU,)), MarkReader((MENU,))
    said_whole = whole.feed(text) + whole.finish()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    said = "".join(pieces.feed(text[a:b]) for a, b in pairwise(edges)) + pieces.finish()
    assert (said, pieces.sources) == (said_whole, whole.sources)
    assert said == pieces.text


@pytest.mark.parametrize(
    ("finish", "message", "move"),
    [
        ("length", {"content": "It is"}, BreakOff(reason="max_completion_tokens", text="It is")),
        ("length", {"tool_calls": [call("rate", '{"to')]}, BreakOff(reason="max_completion_tokens")),
        ("content_filter", {"content": "It"}, BreakOff(reason="content_filter", text="It")),
        ("stop", {"refusal": "No."}, Refuse(text="No.")),
        ("stop", {"content": ""}, Answer(text="")),
    ],
)
async def test_each_ending_is_its_own_move(finish, message, move) -> None:
    turnout, _ = await decide(scene(functions=(RATE,)), reply(completion(finish, **message)))
    assert turnout.move == move


async def test_an_answer_is_heard_as_it_comes_without_marks() -> None:
    outcomes = (ToolOutcome(request=SEARCH, completed=True, passages=(MENU,)),)
    pieces = [
        {"role": "assistant", "content": ""},
        *({"content": one} for one in ("It is", " 23.75", " 【", "1】", ".")),
    ]
    turnout, heard = await decide_aloud(scene(outcomes=outcomes), stream(*pieces))
    mark = SourceMark(position=11, file_id="file-1", filename="menu.pdf")
    assert turnout.move == Answer(text="It is 23.75.", sources=(mark,))
    assert turnout.spent == Spent(input_tokens=20, output_tokens=5)
    assert heard == ["It is", " 23.75", "."]


async def test_streamed_calls_are_put_together() -> None:
    deltas = [
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "file_search", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"queries": ["bur'}}]},
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "rate", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ger"]}'}}]},
    ]
    turnout, _ = await decide_aloud(scene(functions=(RATE,)), stream(*deltas, finish="tool_calls"))
    assert turnout.move == UseTools(requests=(SEARCH, FunctionRequest(name="rate", arguments="{}")))


def part(arguments: str, *, name: str | None = None, **place: object) -> dict:
    """A part of a call as it is streamed."""
    named = {"name": name} if name else {}
    return {"tool_calls": [{"type": "function", "function": {**named, "arguments": arguments}, **place}]}


TO_EUR, TO_USD = ('{"to": ', '"EUR"}'), ('{"to": ', '"USD"}')


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(
            [
                part(text, name="rate", index=0, id=call_id)
                for call_id, texts in zip("ab", (TO_EUR, TO_USD), strict=True)
                for text in texts
            ],
            id="one index, the id and the name with every part",
        ),
        pytest.param(
            [
                part(TO_EUR[0], name="rate", index=0, id="a"),
                part(TO_EUR[1], index=0, id="a"),
                part(TO_USD[0], name="rate", index=0, id="b"),
                part(TO_USD[1], index=0, id="b"),
            ],
            id="one index, an id of its own for each call",
        ),
        pytest.param(
            [
                part(TO_EUR[0], name="rate", index=0, id="a"),
                part(TO_USD[0], name="rate", index=0, id="b"),
                part(TO_USD[1], index=0, id="b"),
                part(TO_EUR[1], index=0, id="a"),
            ],
            id="one index, parts by turns",
        ),
        pytest.param(
            [part("".join(TO_EUR), name="rate", id="a"), part("".join(TO_USD), name="rate", id="b")],
            id="no index, whole calls",
        ),
        pytest.param(
            [part("".join(TO_EUR), name="rate"), part("".join(TO_USD), name="rate")], id="neither index nor id"
        ),
        pytest.param(
            [
                part(TO_EUR[0], name="rate"),
                part(TO_EUR[1]),
                part(TO_USD[0], name="rate"),
                part(TO_USD[1]),
            ],
            id="neither index nor id, in parts",
        ),
        pytest.param(
            [
                {"tool_calls": [part("", name="rate")["tool_calls"][0], part("", name="rate")["tool_calls"][0]]},
                {"tool_calls": [part("".join(TO_EUR))["tool_calls"][0], part("".join(TO_USD))["tool_calls"][0]]},
            ],
            id="side by side in each part",
        ),
        pytest.param(
            [
                part(TO_EUR[0], name="rate", index=0, id="a"),
                part(TO_EUR[1], index=0, id="x1"),
                part(TO_USD[0], name="rate", index=1, id="b"),
                part(TO_USD[1], index=1, id="x2"),
            ],
            id="a new id with every part",
        ),
    ],
)
async def test_streamed_calls_are_told_apart_however_the_server_numbers_them(deltas: list[dict]) -> None:
    turnout, _ = await decide_aloud(scene(functions=(RATE,)), stream(*deltas, finish="tool_calls"))
    assert isinstance(turnout.move, UseTools)
    assert [one.arguments for one in turnout.move.requests] == ["".join(TO_EUR), "".join(TO_USD)]


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Bergen? No."}]},
    {"type": "text", "text": "Os"},
    {"type": "text", "text": "lo."},
]


async def test_content_in_parts_is_read_without_the_thoughts_among_them() -> None:
    whole, _ = await decide(scene(), reply(completion(content=PARTS)))
    streamed, heard = await decide_aloud(scene(), stream({"content": PARTS[:2]}, {"content": PARTS[2:]}))
    refused, _ = await decide(scene(), reply(completion(content=[{"type": "refusal", "refusal": "No."}])))
    assert whole.move == streamed.move == Answer(text="Oslo.")
    assert heard == ["Os", "lo."]
    assert refused.move == Refuse(text="No.")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("<think>Oslo? No.</think>Bergen.", "Bergen."),
        ("<think>\nOslo?\nNo.\n</think>\n\nBergen.", "Bergen."),
        ("\n<think></think>\n\nBergen.", "Bergen."),
        ("<think>Oslo?</think>\n<think>No.</think> Bergen.", "Bergen."),
        ("<thinking>Oslo?</thinking>Bergen.", "Bergen."),
        ("[THINK]Oslo?[/THINK]Bergen.", "Bergen."),
        ("<think>Oslo, without an end", ""),
        ("<thin ice", "<thin ice"),
        ("<th", "<th"),
        ("  Bergen.", "  Bergen."),
        ("It is <think>Bergen</think>.", "It is <think>Bergen</think>."),
        ("Use `</think>` to end it.", "Use `</think>` to end it."),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.slow
async def test_what_a_model_only_thinks_is_no_answer(said: str, answer: str, size: int) -> None:
    pieces = [{"content": said[at : at + size]} for at in range(0, len(said), size)]
    whole, _ = await decide(scene(), reply(completion(content=said)))
    streamed, heard = await decide_aloud(scene(), stream(*pieces))
    assert whole.move == streamed.move == Answer(text=answer)
    assert "".join(heard) == answer


async def test_a_thought_that_only_ends_is_none_of_the_answer_either() -> None:
    """The chat template opened it: what was streamed of it is a failure once, and held back ever after."""
    said = "Oslo? No.\n</think>\n\nBergen."
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    replies = (stream({"content": said}), stream({"content": said}), stream({"content": "Just Bergen."}))
    async with endpoint(*replies) as (_, inference):
        first = await inference.decide_aloud(scene(), hear)
        heard.clear()
        second = await inference.decide_aloud(scene(), hear)
        third = await inference.decide_aloud(scene(), hear)
    whole, _ = await decide(scene(), reply(completion(content=said)))
    assert isinstance(first.move, Fail)
    assert "'</think>' and no beginning of it" in first.move.message
    assert second.move == whole.move == Answer(text="Bergen.")
    assert third.move == Answer(text="Just Bergen.")
    assert heard == ["Bergen.", "Just Bergen."]


async def test_a_whole_reply_where_a_stream_was_asked_is_read() -> None:
    whole, heard = await decide_aloud(scene(), reply(completion(content="It is 39.25.")))
    text = b"".join(one for one in stream({"content": "It is "}, {"content": "39.25."})[1:] if isinstance(one, bytes))
    unlabelled, _ = await decide_aloud(scene(), reply(text))
    assert whole.move == unlabelled.move == Answer(text="It is 39.25.")
    assert heard == ["It is 39.25."]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply("It is 39.25."), "asked for a stream and sent text that is no JSON"),
        (reply(b"<html>"), "asked for a stream and sent an HTML page"),
        (reply(""), "asked for a stream and sent nothing"),
        (reply({"error": {"message": "no streams"}}), "broke off with an error: no streams"),
    ],
)
async def test_something_else_where_a_stream_was_asked_is_told_in_these_words(answer: list, words: str) -> None:
    turnout, _ = await decide_aloud(scene(), answer)
    assert isinstance(turnout.move, Fail)
    assert words in turnout.move.message


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (call("file_search", '{"queries": ["a'), "not valid JSON"),
        (call("file_search", [1]), "must be a JSON object"),
        (call("file_search", {"query": "a"}), "'queries' must be a list of texts"),
        (call("code_interpreter", {"code": ""}), "'code' must be a text"),
        (call("web_search", {}), "There is no tool 'web_search'; there is code_interpreter, file_search, rate"),
        (call("rate", "x"), "not valid JSON"),
    ],
)
@pytest.mark.slow
async def test_a_malformed_call_is_told_back_to_the_model_once(wrong, told) -> None:
    right = call("rate", {"to": "USD"}, "c2")
    given = scene(functions=(RATE,))
    turnout, seen = await decide(
        given,
        reply(completion("tool_calls", tool_calls=[wrong, right])),
        reply(completion("tool_calls", tool_calls=[right])),
    )
    assert turnout.move == UseTools(requests=(FunctionRequest(name="rate", arguments='{"to": "USD"}'),))
    assert turnout.spent == Spent(input_tokens=40, output_tokens=10)
    *_, made, first, second = seen[1].json["messages"]
    assert [one["id"] for one in made["tool_calls"]] == ["c1", "c2"]
    json.loads(made["tool_calls"][0]["function"]["arguments"])
    assert told in first["content"]
    assert "another call was wrong" in second["content"]

    turnout, seen = await decide(given, *[reply(completion("tool_calls", tool_calls=[wrong]))] * 2)
    assert isinstance(turnout.move, Fail)
    assert "its model called tools wrongly twice" in turnout.move.message
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            refusal(401, f"Incorrect key {KEY}"),
            "server_error",
            "it rejects the key (HTTP 401): Incorrect key [redacted]",
        ),
        (refusal(404, "model 'x' not found"), "server_error", "not know the model, or the path (HTTP 404): model 'x'"),
        (refusal(429, "Slow down"), "rate_limit_exceeded", "too many requests, or a quota is used up (HTTP 429): Slow"),
        (refusal(404, "Not Found"), "server_error", "/v1/chat/completions"),
        (
            refusal(400, "the request exceeds the available context size. try increasing the context size"),
            "invalid_prompt",
            "context size; what the model is given is too long for it; with file_search, a smaller `max_num_results`",
        ),
        (refusal(500, "context length exceeded"), "invalid_prompt", "a smaller `max_num_results` makes it shorter"),
        (refusal(400, "context is too long"), "invalid_prompt", "it refuses the request (HTTP 400): context is too"),
        (reply({"detail": "unprocessable"}, 422), "invalid_prompt", "(HTTP 422): unprocessable"),
        (reply({"error": "out of memory"}, 500), "server_error", "it had an error (HTTP 500): out of memory"),
        (reply("<html>Bad gateway</html>", 502), "server_error", "(HTTP 502): it sent an HTML page; does base_url"),
        (reply("<!doctype html><p>Hi"), "server_error", "it sent an HTML page where a chat completion belongs"),
        (reply("{"), "server_error", "it sent text that is no JSON where a chat completion belongs"),
        (reply("[" * 100_000), "server_error", "it sent text that is no JSON where a chat completion belongs"),
        (
            [b"HTTP/1.1 500 X\r\ncontent-length: 99\r\n\r\n{", CLOSE],
            "server_error",
            "the connection failed (peer closed",
        ),
        (reply([]), "server_error", "it sent a list where a chat completion belongs"),
        (reply({}), "server_error", "its reply holds no answer"),
        (reply({"choices": [None], "usage": 3, "model": 7}), "server_error", "its reply holds no answer"),
        (reply({"choices": [{"message": {"tool_calls": "x", "content": 3}}]}), "server_error", "holds no answer"),
        (reply("", 307, location="http://127.0.0.1:9/v1"), "server_error", "(HTTP 307)"),
        ([RESET], "server_error", "the connection failed"),
        (
            [b"HTTP/1.1 200 X\r\ncontent-length: 99\r\ncontent-type: application/json\r\n\r\n{", CLOSE],
            "server_error",
            "",
        ),
    ],
)
@pytest.mark.slow
async def test_a_fault_of_the_endpoint_fails_the_run_once_and_says_what_it_was(answer, code, message) -> None:
    turnout, seen = await decide(scene(), answer, key=KEY)
    assert isinstance(turnout.move, Fail)
    assert turnout.move.code == code
    assert message in turnout.move.message
    assert KEY not in turnout.move.message
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (stream({"content": "It is"}, finish=None), "the stream ended before the answer did"),
        (stream({"content": "It is"}, finish=None, done=False), "the stream ended before the answer did"),
        ([CHUNKED, b"5\r\ndata:", RESET], "the connection failed"),
        ([CHUNKED, b"5\r\ndata:", CLOSE], "the connection failed"),
        (
            [*stream(finish=None, done=False)[:-1], b'data: {"error": {"message": "out of memory"}}\n\n', CLOSE],
            "out of mem",
        ),
        ([*stream(finish=None, done=False)[:-1], b"data: {\n\n", CLOSE], "text that is no JSON"),
        ([*stream(finish=None, done=False)[:-1], b"data: \xff\n\n", CLOSE], "text that is no JSON"),
        ([b"HTTP/1.1 404 X\r\ncontent-length: 99\r\n\r\n{", CLOSE], "the connection failed (peer closed"),
        ([*stream(finish=None, done=False)[:-1], b"data: 7\n\n", CLOSE], "a single value where a chat completion"),
        (refusal(404, "model 'x' not found"), "(HTTP 404)"),
    ],
)
@pytest.mark.slow
async def test_a_fault_of_a_stream_fails_the_run(answer, message) -> None:
    turnout, _ = await decide_aloud(scene(), answer)
    assert isinstance(turnout.move, Fail)
    assert message in turnout.move.message


async def test_nobody_there_is_said_so() -> None:
    inference = create({"base_url": "http://127.0.0.1:9/v1"})
    assert isinstance(inference, OpenAICompatibleInference)
    move = (await inference.decide(scene())).move
    await inference.close()
    assert isinstance(move, Fail)
    assert "The inference at http://127.0.0.1:9/v1: the connection failed" in move.message
    assert "is it running?" in move.message
    # Not one of those for which a scenario is played again.
    assert move.code == "invalid_prompt"


@pytest.mark.slow
async def test_an_endpoint_that_never_answers_or_never_ends_is_given_up_at_the_deadline() -> None:
    turnout, _ = await decide(scene(), [60.0], timeout_s=0.2)
    assert isinstance(turnout.move, Fail)
    assert "it did not come to an end within 0.2 s" in turnout.move.message
    dribble = [b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\r\n", *([b" ", 0.05] * 1000)]
    turnout, _ = await decide(scene(), dribble, timeout_s=0.3)
    assert isinstance(turnout.move, Fail)


async def test_tokens_are_estimated_where_the_endpoint_does_not_count() -> None:
    body = completion(content="one two three")
    del body["usage"]
    turnout, _ = await decide(scene(), reply(body))
    assert turnout.spent.output_tokens == 4
    assert turnout.spent.input_tokens > 0


async def test_a_cancelled_decision_lets_go_of_the_connection() -> None:
    async with endpoint([60.0]) as (server, inference):
        task = asyncio.create_task(inference.decide(scene()))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, UsageError, "is no address of a server; write it like"),
        ({"base_url": "127.0.0.1:11434"}, UsageError, "is no address"),
        ({"base_url": "http://models.example/v1", "key": KEY}, UsageError, "would send the key unencrypted"),
        ({"base_url": "https://models.example/v1", "key": "a\nb"}, UsageError, "a character in it that no key has"),
        ({"base_url": "http://127.0.0.1:1/v1", "modle": "x"}, ValueError, "has no settings modle"),
    ],
)
def test_settings_that_can_t_work_are_refused_before_anything_is_sent(settings, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        create(settings)
    assert KEY not in str(caught.value)


def test_a_refusal_without_end_is_given_up() -> None:
    refusal = "N" + "o" * LONGEST_REPLY_CHARACTERS

    with pytest.raises(NoReply, match="no end"):
        Reply().add({"choices": [{"delta": {"refusal": refusal}}]})
