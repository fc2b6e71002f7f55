"""A response's items as steps, citations, calls and refusals; and what a request says of the assistant."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest
import responses_wire as wire

from runner.backends._json_fields import Malformed
from runner.backends.responses.bodies import Material, definition_body, question_item, settings_body
from runner.backends.responses.wire import Round, build_run, read_response, read_this_response
from runner.domain.conversation import (
    Ending,
    FileId,
    FunctionAnswer,
    Run,
    SearchResult,
    Step,
    StoreId,
    ThreadId,
    Usage,
)
from runner.domain.files import FileUse

NOTHING = Material(store_ids=(), code_file_ids=())


def run_of(*bodies: dict, answers: tuple[FunctionAnswer, ...] = ()) -> Run:
    rounds = [Round(response=read_response(body)) for body in bodies]
    rounds[0] = replace(rounds[0], answers=answers)
    return build_run(ThreadId("resp_1"), rounds, (), duration_s=0.0)


def item(kind: str, **fields) -> dict:
    return {"id": "item_1", "type": kind, "status": "completed", **fields}


@pytest.mark.parametrize(
    ("output", "step"),
    [
        (
            item("code_interpreter_call", code="1+1", outputs=[{"type": "logs", "logs": "2"}, {"type": "image"}]),
            Step(tool="code_interpreter", completed=True, input="1+1", output="2\n[image]"),
        ),
        (
            item("code_interpreter_call", code=None, outputs=None, status="failed"),
            Step(tool="code_interpreter", completed=False),
        ),
        (
            item(
                "file_search_call",
                queries=["burger", "soda"],
                results=[{"file_id": "file-1", "filename": "receipt.pdf", "score": 0.5, "text": "Burger 23.75"}],
            ),
            Step(
                tool="file_search",
                completed=True,
                input="burger\nsoda",
                results=(
                    SearchResult(file_id=FileId("file-1"), filename="receipt.pdf", score=0.5, text="Burger 23.75"),
                ),
            ),
        ),
        (
            item("web_search_call", action={"type": "search", "query": "rain", "sources": [{"url": "https://a.test"}]}),
            Step(tool="web_search", completed=True, input="rain", output="https://a.test"),
        ),
        (
            item("web_search_call", action={"type": "open_page", "url": "https://a.test"}),
            Step(tool="web_search", completed=True, input="https://a.test"),
        ),
        (
            item("mcp_call", server_label="dice", name="roll", arguments='{"n":2}', output="6", error=None),
            Step(tool="mcp", label="dice.roll", completed=True, input='{"n":2}', output="6"),
        ),
        (
            item("mcp_call", server_label="dice", name="roll", arguments="", output=None, error={"message": "lost"}),
            Step(tool="mcp", label="dice.roll", completed=False, output="the call failed: lost"),
        ),
        (
            item("mcp_call", server_label="dice", name="roll", status="failed", error={"content": [{"text": "no"}]}),
            Step(tool="mcp", label="dice.roll", completed=False, output="the call failed: no"),
        ),
        (
            item("mcp_call", server_label="dice", name="roll", status="failed", error={"type": "http_error"}),
            Step(tool="mcp", label="dice.roll", completed=False, output="the call failed: no reason is given"),
        ),
        (
            item("mcp_list_tools", server_label="dice", tools=[], error="the server is down"),
            Step(
                tool="mcp",
                label="dice",
                completed=False,
                output="the server says nothing about its tools: the server is down",
            ),
        ),
        (item("some_new_call", secret="x"), Step(tool="some_new", completed=True)),
    ],
)
def test_the_work_of_a_tool_is_a_step(output, step):
    assert run_of(wire.response(output, wire.message())).steps == (step,)


@pytest.mark.parametrize("kind", ["reasoning", "mcp_list_tools", "compaction", "something_new"])
def test_what_is_no_tool_s_work_is_no_step(kind):
    body = item(kind, server_label="dice", summary=[])
    assert run_of(wire.response(body, wire.message())).steps == ()


def test_a_function_s_step_has_what_it_was_told():
    answers = (FunctionAnswer(output="7.46"), FunctionAnswer(output="no such currency", is_error=True))
    asked = wire.response(wire.call("rate", "c1", '{"to":"DKK"}'), wire.call("rate", "c2"))
    run = run_of(asked, wire.response(wire.message(), id="resp_2"), answers=answers)
    assert run.steps == (
        Step(tool="rate", completed=True, input='{"to":"DKK"}', output="7.46"),
        Step(tool="rate", completed=False, input="{}", output="no such currency"),
    )


def test_citations_stand_where_they_are_in_the_whole_answer():
    first = wire.message("Hello.", [{"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 5}])
    page = {"type": "url_citation", "url": "https://a.test/x", "title": "A", "start_index": 3, "end_index": 9}
    run = run_of(wire.response(first, wire.message("The rain.", [page])))
    assert run.text == "Hello.\n\nThe rain."
    assert [(one.position, one.filename, one.quote) for one in run.citations] == [
        (5, "a.pdf", None),
        (11, "https://a.test/x", "A"),
    ]


@pytest.mark.parametrize("index", [-4, 9999, None])
def test_a_citation_outside_its_text_stays_within(index):
    note = {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": index}
    (citation,) = run_of(wire.response(wire.message("Hello.", [note]))).citations
    assert 0 <= citation.position <= 6


def test_a_commentary_is_not_the_answer():
    run = run_of(wire.response(wire.message("I'll look.", phase="commentary"), wire.message(phase="final_answer")))
    assert run.text == "It is 39.25."


@pytest.mark.parametrize(
    ("output", "ending"),
    [
        ([], Ending.EMPTY),
        ([item("reasoning", summary=[{"type": "summary_text", "text": "It is 39.25."}])], Ending.EMPTY),
        ([wire.message(" \n")], Ending.EMPTY),
        ([wire.message("It is 39.25.", phase="commentary")], Ending.EMPTY),
        ([wire.refused("I can't help with that.")], Ending.REFUSED),
        ([wire.message()], Ending.ANSWERED),
    ],
)
def test_a_completed_response_is_not_always_an_answer(output, ending):
    assert run_of(wire.response(*output)).ending is ending


def test_a_decline_is_marked_on_the_response():
    run = run_of(wire.response(wire.message("No language model is connected."), metadata={"runner.declined": "true"}))
    assert (run.ending, run.declined) == (Ending.DECLINED, "No language model is connected.")


def test_usage_is_summed_and_what_is_unknown_stays_unknown():
    first, second = wire.response(wire.call()), wire.response(wire.message(), id="resp_2", usage=wire.usage(10))
    assert run_of(first, second).usage == Usage(
        input_tokens=13, output_tokens=13, total_tokens=26, cached_tokens=2, reasoning_tokens=4
    )
    del second["usage"]["input_tokens_details"]
    assert run_of(first, second).usage.cached_tokens is None
    assert run_of(first, wire.response(wire.message(), usage=None)).usage is None


@pytest.mark.parametrize(
    "body",
    [
        {"id": "resp_1"},
        {"status": "completed", "output": []},
        wire.response({"type": "message", "content": "text"}),
        wire.response({"type": "message", "content": [{"type": "output_text"}]}),
        wire.response({"type": "function_call", "name": "rate"}),
        wire.response("text"),
        {**wire.response(), "id": "../files"},
    ],
)
def test_what_is_no_response_is_not_taken_for_one(body):
    with pytest.raises(Malformed):
        read_response(body)


def test_another_response_is_not_taken_for_this_one():
    with pytest.raises(Malformed, match="it is the response resp_2"):
        read_this_response(wire.response(id="resp_2"), "resp_1")


def test_the_definition_travels_with_the_request():
    asked = wire.question(tools=wire.TOOLS, tags={"runner.play": "p"})
    assistant = replace(
        asked.deployment.assistant,
        instructions="You guide.",
        temperature=Decimal("0.2"),
        top_p=Decimal("0.9"),
        reasoning_effort="low",
        metadata={"team": "a"},
    )
    asked = replace(asked, deployment=replace(asked.deployment, assistant=assistant))
    material = Material(store_ids=(StoreId("vs_1"), StoreId("vs_2")), code_file_ids=(FileId("file-1"),))
    body = definition_body(assistant, material) | settings_body(assistant, material, tags=asked.tags)
    assert body == {
        "model": "gpt-6-luna",
        "instructions": "You guide.",
        "tools": [
            {"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"], "max_num_results": 5},
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}},
        ],
        "include": ["file_search_call.results", "code_interpreter_call.outputs"],
        "temperature": 0.2,
        "top_p": 0.9,
        "reasoning": {"effort": "low"},
        "metadata": {"team": "a", "runner.play": "p"},
    }


def test_what_the_file_does_not_say_is_not_sent():
    asked = wire.question()
    assert definition_body(asked.deployment.assistant, NOTHING) == {"model": "gpt-6-luna"}
    assert settings_body(asked.deployment.assistant, NOTHING, tags={}) == {}


def test_file_search_without_anything_to_search_is_not_offered():
    body = definition_body(wire.question(tools=wire.TOOLS).deployment.assistant, NOTHING)
    assert body["tools"] == [{"type": "code_interpreter", "container": {"type": "auto"}}]


def test_functions_are_offered_with_their_schema():
    asked = wire.question()
    schema = {"type": "object", "properties": {"to": {"type": "string"}}}
    function = SimpleNamespace(name="rate", description="The rate today.", parameters=schema, strict=False)
    known = {name: getattr(asked.deployment.assistant, name) for name in asked.deployment.assistant.__slots__}
    assistant = SimpleNamespace(**{**known, "functions": (function,)})
    assert definition_body(assistant, NOTHING)["tools"] == [
        {"type": "function", "name": "rate", "description": "The rate today.", "parameters": schema, "strict": False}
    ]


def test_an_image_is_shown_and_a_document_is_read():
    ids = [FileId("file-1"), FileId("file-2"), FileId("file-3")]
    asked = wire.question(
        attachments=((ids[0], FileUse.INPUT), (ids[1], FileUse.INPUT), (ids[2], FileUse.CODE_INTERPRETER))
    )
    content = question_item(asked, {ids[0]: "menu.PNG", ids[1]: "receipt.pdf"}.__getitem__)["content"]
    assert content == [
        {"type": "input_text", "text": "How much?"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "file_id": "file-2"},
    ]
