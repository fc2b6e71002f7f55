"""Wire objects become a Run, and assistants go out and come back alike."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import assistants_wire as wire
import pytest

from runner.backends import Deployment, managed_fields
from runner.backends.assistants import wire as reading
from runner.backends.assistants.wire import build_run, is_settled
from runner.domain.assistant import Tool, ToolName
from runner.domain.conversation import Ending, FileId, FunctionAnswer, RunStatus, StoreId, Usage
from runner.domain.files import FileUse


def build(run: dict, *messages: dict, steps: tuple[dict, ...] = (), answers=None):
    read_messages = [reading.read_message(message) for message in messages]
    read_steps = [reading.read_step(one) for one in steps]
    return build_run(reading.read_run(run), read_messages, read_steps, answers=answers or {}, duration_s=1.5)


@pytest.mark.fault("S9")
def test_the_answer_is_the_run_s_own_however_the_list_is_ordered():
    run = build(
        wire.run(),
        wire.message("Second.", id="msg_3", created_at=9),
        wire.message("Another run's.", run_id="run_0"),
        wire.message("A question.", role="user", run_id=None),
        wire.message("First.", id="msg_2", created_at=8),
    )
    assert run.text == "First.\n\nSecond."
    assert run.ending is Ending.ANSWERED


def test_citations_of_later_messages_have_their_places_in_the_whole_text():
    mark = "【4:0†a.txt】"
    annotation = {"type": "file_citation", "text": mark, "start_index": 1, "end_index": 1 + len(mark)}
    annotation["file_citation"] = {"file_id": "file-a"}
    run = build(wire.run(), wire.message("One."), wire.message(f"2{mark}", [annotation], id="msg_2", created_at=9))
    assert run.text == "One.\n\n2"
    assert run.raw_text == f"One.\n\n2{mark}"
    assert run.citations[0].position == len("One.\n\n2")


def test_a_decline_is_told_by_the_message_s_metadata():
    run = build(wire.run(), wire.message("No model.", metadata={"runner.declined": "true"}))
    assert (run.declined, run.ending) == ("No model.", Ending.DECLINED)


def test_a_refusal_part_is_a_refusal():
    run = build(wire.run(), wire.message(content=[{"type": "refusal", "refusal": "I won't."}]))
    assert (run.text, run.refusal, run.ending) == ("", "I won't.", Ending.REFUSED)


def test_a_completed_run_without_words_is_empty_and_unknown_usage_is_not_zero():
    run = build(wire.run(usage=None), wire.message(content=[]))
    assert (run.ending, run.usage) == (Ending.EMPTY, None)


@pytest.mark.fault("S2")
@pytest.mark.parametrize(
    ("fields", "status", "error", "code"),
    [
        (
            {"status": "failed", "last_error": {"code": "server_error", "message": "Sorry."}},
            RunStatus.FAILED,
            "Sorry.",
            "server_error",
        ),
        ({"status": "failed"}, RunStatus.FAILED, "the run failed, and the server doesn't say why", None),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_completion_tokens"}},
            RunStatus.INCOMPLETE,
            "the answer is incomplete: max_completion_tokens",
            "max_completion_tokens",
        ),
        ({"status": "expired"}, RunStatus.EXPIRED, "the run took longer than the server allows, and expired", None),
        ({"status": "cancelled"}, RunStatus.CANCELLED, "the run was cancelled, not by us", None),
    ],
)
def test_every_bad_end_has_its_own_reason(fields, status, error, code):
    run = build(wire.run(**fields))
    assert (run.status, run.error, run.error_code, run.ending) == (status, error, code, Ending.BROKEN)


def test_steps_come_oldest_first_with_what_went_in_and_out():
    code = {"type": "code_interpreter", "code_interpreter": {"input": "1+1"}}
    code["code_interpreter"]["outputs"] = [
        {"type": "logs", "logs": "2"},
        {"type": "image", "image": {"file_id": "file-9"}},
    ]
    function = {"type": "function", "function": {"name": "rate", "arguments": "{}", "output": None}}
    other = {"type": "browser", "browser": {}}
    run = build(
        wire.run(usage={"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}),
        steps=(wire.step(function, other, created_at=9, status="failed"), wire.step(code, created_at=8)),
    )
    assert [(step.tool, step.completed, step.input, step.output) for step in run.steps] == [
        ("code_interpreter", True, "1+1", "2\n[image file-9]"),
        ("rate", False, "{}", ""),
        ("browser", False, "", ""),
    ]
    assert run.usage == Usage(input_tokens=5, output_tokens=6, total_tokens=11)


def test_a_function_that_was_answered_with_an_error_did_not_complete():
    function = {"id": "call_1", "type": "function", "function": {"name": "rate", "output": "error: no such rate"}}
    answers = {"call_1": FunctionAnswer(output="error: no such rate", is_error=True)}
    run = build(wire.run(), steps=(wire.step(function, {**function, "id": "call_2"}),), answers=answers)
    assert [(step.tool, step.completed) for step in run.steps] == [("rate", False), ("rate", True)]


def test_a_run_whose_message_or_last_step_is_not_listed_yet_is_not_settled():
    run = reading.read_run(wire.run())
    message = reading.read_message(wire.message())
    creation = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    announced = reading.read_step({"created_at": 8, "status": "completed", "step_details": creation})
    open_step = reading.read_step(wire.step(status="in_progress"))
    assert is_settled(run, [message], [announced])
    assert not is_settled(run, [], [announced])
    assert not is_settled(run, [message], [open_step])


def test_an_assistant_that_comes_back_compares_equal_to_the_file():
    tools = (Tool(name=ToolName.FILE_SEARCH, max_num_results=4), Tool(name=ToolName.CODE_INTERPRETER))
    functions = (wire.function(description="Today's rate"), wire.function("other", strict=True))
    guide = replace(
        wire.GUIDE, tools=tools, functions=functions, temperature=Decimal("0.2"), metadata={"team": "travel"}
    )
    body = reading.assistant_body(Deployment(assistant=guide, assistant_id=None), {"runner.address": "a"}, resets=True)
    remote = reading.read_assistant({**wire.assistant(), **body})
    assert remote.fields == managed_fields(guide)
    assert remote.metadata == {"team": "travel", "runner.address": "a"}


def test_a_function_without_parameters_comes_back_equal_even_if_the_server_says_none():
    guide = replace(wire.GUIDE, functions=(wire.function(parameters={"type": "object", "properties": {}}),))
    tool = {"type": "function", "function": {"name": "rate", "parameters": None, "description": None}}
    remote = reading.read_assistant(wire.assistant(tools=[tool], model="gpt-6-luna"))
    assert remote.fields["tools"] == managed_fields(guide)["tools"]


def test_a_create_sends_only_what_the_file_says_and_an_update_resets_the_rest():
    deployment = Deployment(assistant=wire.GUIDE, assistant_id=None)
    created = reading.assistant_body(deployment, {}, resets=False)
    updated = reading.assistant_body(deployment, {}, resets=True)
    assert not {"temperature", "top_p", "reasoning_effort", "tool_resources"} & set(created)
    assert (updated["temperature"], updated["top_p"], updated["reasoning_effort"]) == (None, None, None)
    assert updated["tool_resources"] == {
        "code_interpreter": {"file_ids": []},
        "file_search": {"vector_store_ids": []},
    }


def test_attachments_go_where_their_use_says():
    attachments = (
        (FileId("file-s"), FileUse.FILE_SEARCH),
        (FileId("file-c"), FileUse.CODE_INTERPRETER),
        (FileId("file-i"), FileUse.INPUT),
    )
    body = reading.message_body(wire.question(attachments=attachments, store_id=StoreId("vs_1")))
    assert body["attachments"] == [{"file_id": "file-c", "tools": [{"type": "code_interpreter"}]}]
    assert body["content"][1:] == [{"type": "image_file", "image_file": {"file_id": "file-i"}}]
