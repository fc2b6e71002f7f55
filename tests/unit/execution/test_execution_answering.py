"""Whatever a model makes of a function, every call gets an answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import assistants_wire as wire
import pytest

from runner.domain.assistant import Address, Answering
from runner.domain.conversation import FunctionAnswer, FunctionCall
from runner.domain.scenario import Scenario, functions_in
from runner.execution.answering import Desk
from runner.functions import MOST_PRINTED
from runner.functions.python import locate
from runner.redaction import Redactor

SECRET = "canary-1234567890"


def desk(*functions, secrets=()) -> Desk:
    return Desk(functions, clean=Redactor(secrets).clean, places=asyncio.Semaphore(4))


def returning(value: object, name: str = "rate"):
    return wire.function(name, answering=Answering(kind="returns", settings={"value": value}, location=wire.HERE))


def running(root: Path, body: str, **settings):
    (root / "f.py").write_text(f"def rate(to):\n    {body}\n")

    class Files:
        def __init__(self) -> None:
            self.root = root

        def find(self, named: str) -> Path:
            return root / named

    located = locate({"call": "f.py:rate", **settings}, Files())
    return wire.function(answering=Answering(kind="python", settings=located, location=wire.HERE))


def call(arguments: str = '{"to": "NOK"}', name: str = "rate") -> FunctionCall:
    return FunctionCall(id="call_1", name=name, arguments=arguments)


async def test_a_call_is_answered_as_declared():
    assert await desk(returning({"rate": 11.5})).answer(call()) == FunctionAnswer(output='{"rate": 11.5}')


async def test_no_arguments_at_all_are_none():
    function = wire.function(parameters={"type": "object", "properties": {}})
    assert (await desk(function).answer(call(""))).output == "1"


@pytest.mark.fault("S3")
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (call(name="rates"), "error: there is no function 'rates'; there is rate"),
        (call("{"), "error: the arguments are not JSON: "),
        (call("[1]"), "error: the arguments are not a JSON object"),
        (call('"to"'), "error: the arguments are not a JSON object"),
        (call('{"to": NaN}'), "error: the arguments are not JSON: NaN is no number"),
        (call('{"to": 1e999}'), "error: the arguments are not JSON: 1e999 is too large a number"),
        (call('{"to": 1}'), "error: the arguments are not as declared: to: 1 is not of type 'string'"),
        (call("{}"), "error: the arguments are not as declared: 'to' is a required property"),
        (call("[" * 200_000), "error: the arguments are not JSON: "),
        (call('{"to": ' + "9" * 5000 + "}"), "error: the arguments are not JSON: "),
    ],
    ids=lambda one: one.arguments[:12] if isinstance(one, FunctionCall) else "",
)
async def test_a_call_that_can_t_be_answered_is_told_why(asked, words):
    answer = await desk(returning(1)).answer(asked)
    assert answer.is_error
    assert answer.output.startswith(words)
    assert len(answer.output) < 1100


@pytest.mark.fault("S3")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no such rate')", "error: f.py:2: ValueError: no such rate"),
        ("while True: pass", "error: f.py:rate: there was no result after 1 s"),
        ("return 'x' * 2_000_000", "error: f.py:1: OverflowError: the result has 2,000,000 bytes"),
        ("return b'x'", "error: f.py:1: TypeError: Object of type bytes"),
        ("return float('nan')", "error: f.py:1: ValueError: Out of range float values"),
        ("raise SystemExit", "error: f.py:2: SystemExit: "),
    ],
)
@pytest.mark.slow
async def test_a_function_that_raises_hangs_or_says_too_much_is_told_as_an_error(tmp_path, body, words):
    answer = await desk(running(tmp_path, body, timeout=1)).answer(call())
    assert answer.is_error
    assert answer.output.startswith(words)


async def test_a_secret_is_in_no_answer_and_in_no_error(tmp_path):
    said = await desk(returning({"key": SECRET}), secrets=[SECRET]).answer(call())
    raised = await desk(running(tmp_path, f"raise ValueError('{SECRET}')"), secrets=[SECRET]).answer(call())
    named = await desk(returning(1), secrets=[SECRET]).answer(call(name=SECRET))
    for answer in (said, raised, named):
        assert SECRET not in answer.output
        assert "[redacted]" in answer.output


async def test_what_a_function_printed_has_no_secret_and_an_end(tmp_path):
    body = f"print('{SECRET}' + 'x' * {MOST_PRINTED} + '{SECRET}'); raise ValueError('{SECRET}')"
    answer = await desk(running(tmp_path, body), secrets=[SECRET]).answer(call())
    assert answer.is_error
    assert answer.printed.endswith("ValueError: [redacted]")
    assert len(answer.printed) < MOST_PRINTED + 100
    assert SECRET not in answer.printed


async def test_half_a_character_does_not_stop_an_answer_from_being_sent(tmp_path):
    answer = await desk(running(tmp_path, r"return 'a\ud800b'")).answer(call())
    assert answer.output.encode() == b"a?b"


async def test_a_result_in_the_file_that_is_too_long_is_refused_too():
    answer = await desk(returning("x" * 300_000)).answer(call())
    assert answer.output == "error: the result has 300,000 bytes; at most 262,144 are passed on"


async def test_a_plug_in_with_a_bug_leaves_no_call_without_an_answer(monkeypatch):
    async def broken(_self, _arguments):
        raise RuntimeError("a bug")

    monkeypatch.setattr("runner.functions.returns.Answerer.answer", broken)
    assert await desk(returning(1)).answer(call()) == FunctionAnswer(output="error: RuntimeError: a bug", is_error=True)


@pytest.mark.slow
async def test_only_so_many_calls_are_worked_on_at_once(tmp_path):
    body = "import time; start = time.monotonic(); time.sleep(0.2); return [start, time.monotonic()]"
    function = running(tmp_path, body)
    places = asyncio.Semaphore(2)
    desks = [Desk([function], clean=str, places=places) for _ in range(3)]
    spans = [json.loads((answer).output) for answer in await asyncio.gather(*(one.answer(call()) for one in desks * 2))]
    for start, _ in spans:
        assert sum(begun <= start < ended for begun, ended in spans) <= 2


def test_a_scenario_s_answer_holds_instead_of_the_assistant_s():
    own = Answering(kind="returns", settings={"value": 2}, location=wire.HERE)
    scenario = Scenario(
        name="s", assistant=Address("travel-guide"), turns=(), functions={"rate": own}, location=wire.HERE
    )
    one, other = functions_in(scenario, wire.Assistant(**GUIDE, functions=(returning(1), returning(1, "other"))))
    assert one.answering is own
    assert other.answering.settings == {"value": 1}


GUIDE = {"address": Address("travel-guide"), "location": wire.HERE, "name": "Guide", "model": "m"}
