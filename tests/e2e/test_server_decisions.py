"""/v1/decisions on the embedded server, asked by the official SDK: scripted, by a model, by what never judges."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI
from openai.types import Decision
from openai.types.decision_create_params import DecisionCreateParams
from pydantic import TypeAdapter
from sdk_client import sdk_client
from wire_server import Seen, refusal, reply, wire_server

from runner.errors import ConfigError
from runner.server.embedded import start_embedded
from runner.server.inference import Inference
from runner.server.inference.offline import create as create_offline
from runner.server.inference.openai_compatible import create as create_compatible
from runner.server.inference.scripted import create as create_scripted

POLITE = {"type": "predicate", "name": "polite", "instructions": "Is the answer polite?"}
TOPIC = {
    "type": "choice",
    "name": "topic",
    "instructions": "What is it about?",
    "choices": [{"value": "refund", "description": "money back"}, {"value": "travel"}, {"value": True}],
}
GRADE = {
    "type": "score",
    "instructions": "How complete is it?",
    "levels": [{"label": "bad"}, {"label": "fair"}, {"label": "good", "description": "nothing is missing"}],
}
TURN = [
    {"role": "system", "content": [{"type": "input_text", "text": "You are a guide."}]},
    {"role": "user", "content": [{"type": "input_text", "text": "Refund?"}, {"type": "input_json", "data": {"n": 1}}]},
    {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "order 7"}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Yes, of course."}], "phase": "final_answer"},
]


@asynccontextmanager
async def serve(state: Path, inference: Inference) -> AsyncIterator[AsyncOpenAI]:
    async with (
        start_embedded(state, inference) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


def scripted(folder: Path, text: str) -> Inference:
    path = folder / "moves.yaml"
    path.write_text(text, "utf-8")
    return create_scripted({"script": str(path)})


async def decide(client: AsyncOpenAI, *questions: dict, about: object = TURN) -> Decision:
    """The request and the answer fit the SDK's own types."""
    TypeAdapter(DecisionCreateParams).validate_python({"model": "gpt-6-luna", "input": about, "questions": questions})
    raw = await client.decisions.with_raw_response.create(model="gpt-6-luna", input=about, questions=questions)
    return Decision.model_validate(json.loads(raw.text), strict=True)


RULINGS = """
rulings:
  - {question: {contains: polite}, about: {contains: of course}, says: 0.95}
  - {question: {contains: polite}, says: refuse}
  - {question: {contains: about}, says: {options: {travel: 0.7, 'true': 0.1}}}
  - {question: any, says: {options: {bad: 0.1, fair: 0.2, good: 0.7}}, tokens: {input: 40, output: 3}}
"""


async def test_a_script_judges_all_questions_of_a_request_in_their_order(tmp_path: Path) -> None:
    async with serve(tmp_path, scripted(tmp_path, RULINGS)) as client:
        decision = await decide(client, POLITE, TOPIC, GRADE)
        shouted = await decide(client, POLITE, about="GO AWAY")

    polite, topic, grade = decision.answers
    assert (polite.type, polite.name, polite.probability) == ("predicate", "polite", 0.95)
    assert (topic.choice, topic.confidence) == ("travel", 0.7)
    assert [(one.value, round(one.probability, 6)) for one in topic.probabilities] == [
        ("refund", 0.2),
        ("travel", 0.7),
        (True, 0.1),
    ]
    assert (round(grade.score, 6), grade.confidence, grade.name) == (1.6, 0.7, None)
    assert [(one.label, one.value) for one in grade.probabilities] == [("bad", 0), ("fair", 1), ("good", 2)]
    assert (decision.model, decision.usage.total_tokens) == ("gpt-6-luna", 43)
    assert [(one.type, one.name) for one in shouted.answers] == [("refusal", "polite")]


async def test_a_script_s_list_goes_by_how_often_the_same_was_asked_about_the_same(tmp_path: Path) -> None:
    async with serve(tmp_path, scripted(tmp_path, "rulings: [{question: any, says: [0.5, 0.9]}]")) as client:
        asked = [(await decide(client, POLITE, about=text)).answers[0].probability for text in ("a", "a", "a", "b")]

    assert asked == [0.5, 0.9, 0.9, 0.5]


@pytest.mark.parametrize(
    ("ruling", "error", "says"),
    [
        ("{question: any, says: {fail: server_error}}", openai.InternalServerError, "script says"),
        ("{question: any, says: {fail: {code: rate_limit_exceeded, message: Slow}}}", openai.RateLimitError, "Slow"),
        ("{question: any, says: {fail: invalid_prompt}}", openai.BadRequestError, "script says"),
        ("{question: {contains: other}, says: 1}", openai.BadRequestError, "no ruling"),
        ("{question: any, says: {options: {a: 1}}}", openai.BadRequestError, "does not fit its question"),
    ],
)
async def test_a_script_can_fail_a_judge_s_request(tmp_path: Path, ruling: str, error: type, says: str) -> None:
    async with serve(tmp_path, scripted(tmp_path, f"rulings: [{ruling}]")) as client:
        with pytest.raises(error, match=says):
            await decide(client, POLITE)


def test_mistakes_in_rulings_are_told_with_their_places(tmp_path: Path) -> None:
    wrong = ("says: 1.5", "sais: refuse", "says: yes")
    rulings = "".join(f"  - {{question: any, {one}}}\n" for one in wrong)
    with pytest.raises(ConfigError) as caught:
        scripted(tmp_path, f"rulings:\n{rulings}")

    told = str(caught.value)
    assert "moves.yaml:2:27" in told
    assert "did you mean 'says'" in told
    assert "unknown answer 'yes'; known are 0.95, refuse," in told


async def test_the_offline_rules_say_that_they_never_judge(tmp_path: Path) -> None:
    async with serve(tmp_path, create_offline({})) as client:
        with pytest.raises(openai.BadRequestError, match="'offline' never judges") as caught:
            await decide(client, POLITE)

    assert caught.value.code == "no_judge"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"questions": []}, "questions"),
        ({"questions": [{"type": "choice", "instructions": "?", "choices": [{"value": "a"}]}]}, "questions[0].choices"),
        (
            {"questions": [{"type": "choice", "instructions": "?", "choices": [{"value": "a"}] * 2}]},
            "questions[0].choices",
        ),
        (
            {"questions": [{"type": "score", "instructions": "?", "levels": [{"label": str(n)} for n in range(11)]}]},
            "questions[0].levels",
        ),
        ({"questions": [{"type": "predicate"}]}, "questions[0].instructions"),
        ({"questions": [{**POLITE, "weight": 2}]}, "questions[0].weight"),
        ({"input": []}, "input"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]},
            "input[0].content[0].type",
        ),
        ({"temperature": 0}, "temperature"),
    ],
)
async def test_what_the_api_does_not_take_is_refused_by_name(tmp_path: Path, body: dict, param: str) -> None:
    async with serve(tmp_path, scripted(tmp_path, RULINGS)) as client:
        whole = {"model": "m", "input": "Hello", "questions": [POLITE], **body}
        with pytest.raises(openai.BadRequestError) as caught:
            await client.post("/decisions", cast_to=object, body=whole)

    assert caught.value.param == param


def chat(content: object, **message: object) -> list:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
    usage = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}
    return reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


@asynccontextmanager
async def judging_model(folder: Path, answer) -> AsyncIterator[tuple[AsyncOpenAI, list[Seen]]]:
    async with (
        wire_server(answer) as model,
        serve(folder, create_compatible({"base_url": model.url, "model": "llama"})) as client,
    ):
        yield client, model.seen


async def test_a_model_judges_through_structured_output_in_one_request(tmp_path: Path) -> None:
    said = {"q0": 0.25, "q1": {"o0": 0.5, "o1": 0.3, "o2": 0.2}, "q2": {"o0": 0, "o1": 0, "o2": 1}}
    async with judging_model(tmp_path, lambda _: chat(f"```json\n{json.dumps(said)}\n```")) as (client, seen):
        decision = await decide(client, POLITE, TOPIC, GRADE)

    polite, topic, grade = decision.answers
    assert (polite.probability, topic.choice, grade.score) == (0.25, "refund", 2)
    assert decision.usage.total_tokens == 35
    (asked,) = seen
    assert asked.json["response_format"]["json_schema"]["strict"] is True
    shown = json.loads(asked.json["messages"][1]["content"])
    assert [one["from"] for one in shown["record"]] == [
        "system",
        "user",
        "function_call find",
        "function_call_output",
        "assistant",
    ]


async def test_a_model_s_refusal_refuses_each_question(tmp_path: Path) -> None:
    async with judging_model(tmp_path, lambda _: chat(None, refusal="No.")) as (client, _):
        decision = await decide(client, POLITE, GRADE)

    assert [one.type for one in decision.answers] == ["refusal", "refusal"]


@pytest.mark.parametrize("said", ['{"q0": 1.5}', '{"q0": true}', "{}", "It is polite.", "[1]"])
async def test_a_model_s_judgement_that_is_none_is_an_error_never_a_verdict(tmp_path: Path, said: str) -> None:
    async with judging_model(tmp_path, lambda _: chat(said)) as (client, _):
        with pytest.raises(openai.InternalServerError, match="its judgement"):
            await decide(client, POLITE)


async def test_a_model_with_too_much_to_do_is_a_rate_limit(tmp_path: Path) -> None:
    async with judging_model(tmp_path, lambda _: refusal(429, "Slow down")) as (client, _):
        with pytest.raises(openai.RateLimitError, match="Slow down"):
            await decide(client, POLITE)
