"""The model's moves from a YAML file: what they come to, and how mistakes in the file are told."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import ask, ended, engine_at, make_assistant, says, until

from runner.errors import ConfigError
from runner.server.engine.core import need
from runner.server.engine.runs.runs import NewThread, RunOrder, cancel_run, start_run_in_new_thread
from runner.server.engine.state.records import RunRecord, RunState
from runner.server.inference import (
    Answer,
    BreakOff,
    Expire,
    Fail,
    FunctionRequest,
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
    UseTools,
)
from runner.server.inference.scripted import ScriptedInference, create


@pytest.fixture
def script(tmp_path: Path):
    """Makes an inference of the moves of one script for every question, or of a whole file."""

    def write(moves: str = "", *, whole: str = "") -> ScriptedInference:
        path = tmp_path / "moves.yaml"
        path.write_text(whole or f"scripts:\n  - question: any\n    moves: {moves}\n", encoding="utf-8")
        inference = create({"script": str(path)})
        assert isinstance(inference, ScriptedInference)
        return inference

    return write


def scene(question: str = "How much?", **given: object) -> Scene:
    fields: dict[str, object] = {
        "model": "m",
        "instructions": "You are a travel guide.",
        "tools": frozenset(),
        "messages": (SceneMessage(role=Role.USER, text=question),),
    }
    return Scene(**{**fields, **given})  # type: ignore[arg-type]


def outcome(request: ToolRequest | FunctionRequest, output: str = "", *passages: Passage) -> ToolOutcome:
    return ToolOutcome(request=request, completed=True, output=output, passages=passages)


CODE = ToolRequest(tool="code_interpreter", arguments={"code": "print(1)"})
RATE = FunctionRequest(name="rate", arguments='{"from": "EUR"}')


@pytest.mark.parametrize(
    ("moves", "move"),
    [
        ("[{say: Hello there.}]", Answer(text="Hello there.")),
        ("[{say: ''}]", Answer(text="")),
        ("[{say: [One, ' and two']}]", Answer(text="One and two")),
        ("[{say: {text: I can't., declined: true}}]", Answer(text="I can't.", declined=True)),
        ("[{refuse: No.}]", Refuse(text="No.")),
        (
            "[{fail: {code: rate_limit_exceeded, message: Slow down.}}]",
            Fail(code="rate_limit_exceeded", message="Slow down."),
        ),
        ("[{incomplete: max_prompt_tokens}]", BreakOff(reason="max_prompt_tokens")),
        ("[{incomplete: {reason: content_filter, text: As}}]", BreakOff(reason="content_filter", text="As")),
        ("[expire]", Expire()),
    ],
)
async def test_each_way_to_end_is_a_move(script, moves, move) -> None:
    assert (await script(moves).decide(scene())).move == move


async def test_calls_are_made_side_by_side_and_what_is_due_follows_from_those_answered(script) -> None:
    inference = script(
        """
      - saying: Let me see.
        call:
          - code_interpreter: print(1)
          - rate: {from: EUR, amount: 12.5, exact: true, note: '7', day: null}
          - rate: 'not {json'
      - call: {file_search: [menu, wine]}
      - say: Done."""
    )
    first = (await inference.decide(scene())).move
    assert isinstance(first, UseTools)
    assert first.text == "Let me see."
    code, rate, broken = first.requests
    assert code == CODE
    assert isinstance(rate, FunctionRequest)
    assert json.loads(rate.arguments) == {"from": "EUR", "amount": 12.5, "exact": True, "note": "7", "day": None}
    assert broken == FunctionRequest(name="rate", arguments="not {json")

    answered = (outcome(code), outcome(rate), outcome(broken))
    second = (await inference.decide(scene(outcomes=answered))).move
    search = ToolRequest(tool="file_search", arguments={"queries": ["menu", "wine"]})
    assert second == UseTools(requests=(search,))
    assert (await inference.decide(scene(outcomes=(*answered, outcome(search))))).move == Answer(text="Done.")


async def test_the_same_scene_gets_the_same_move(script) -> None:
    inference = script("[{call: {code_interpreter: print(1)}}, {say: Done.}]")
    assert await inference.decide(scene()) == await inference.decide(scene())


async def test_answered_calls_that_don_t_fit_the_script_end_the_run(script) -> None:
    inference = script("[{call: [{rate: {}}, {rate: {}}]}, {say: Done.}]")
    move = (await inference.decide(scene(outcomes=(outcome(RATE),)))).move
    assert isinstance(move, Fail)
    assert "has no move after 1 answered calls" in move.message


async def test_the_first_script_that_fits_the_question_is_played(script) -> None:
    inference = script(
        whole="""
scripts:
  - {question: {contains: [bill, HOTEL]}, moves: [{say: Both.}]}
  - {question: {contains: bill}, moves: [{say: A bill.}]}
  - {question: {matches: '^\\d+ people'}, moves: [{say: People.}]}
"""
    )

    async def answer(question: str) -> object:
        return (await inference.decide(scene(question))).move

    assert await answer("The hotel Bill?") == Answer(text="Both.")
    assert await answer("The bill?") == Answer(text="A bill.")
    assert await answer("17 people") == Answer(text="People.")
    nobody = await answer("Where?")
    assert isinstance(nobody, Fail)
    assert "moves.yaml is for the question 'Where?'" in nobody.message


@pytest.mark.slow
async def test_a_regular_expression_without_end_ends_the_run_instead(script, monkeypatch) -> None:
    monkeypatch.setattr("runner.server.inference.scripted.script.PATTERN_SECONDS", 0.2)
    inference = script(whole="scripts: [{question: {matches: '(a|aa)+$'}, moves: [{say: x}]}]")
    move = (await inference.decide(scene("a" * 60 + "b"))).move
    assert isinstance(move, Fail)
    assert "takes too long" in move.message


async def test_a_text_is_heard_word_by_word_and_adds_up_to_the_answer(script) -> None:
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    turnout = await script("[{say: {text: 'Each pays  331.31.', pause: 0.01}}]").decide_aloud(scene(), hear)
    assert heard == ["Each ", "pays  ", "331.31."]
    assert turnout.move == Answer(text="".join(heard))


async def test_a_source_is_cited_where_its_mark_stands(script) -> None:
    inference = script("[{call: {file_search: menu}}, {say: 'It is 23.75【my menu.pdf】 in all【my menu.pdf】.'}]")
    found = Passage(file_id="file-1", filename="my menu.pdf", score=0.9, text="Burger 23.75")
    request = ToolRequest(tool="file_search", arguments={"queries": ["menu"]})
    answer = (await inference.decide(scene(outcomes=(outcome(request, "", found),)))).move
    assert isinstance(answer, Answer)
    assert answer.text == "It is 23.75 in all."
    marks = [SourceMark(position=position, file_id="file-1", filename="my menu.pdf") for position in (11, 18)]
    assert list(answer.sources) == marks

    nothing = (await inference.decide(scene(outcomes=(outcome(request),)))).move
    assert isinstance(nothing, Fail)
    assert nothing.code == "invalid_prompt"
    assert nothing.message.partition("moves.yaml")[2] == (
        ":3:42 cites 'my menu.pdf', which file search did not find in this run; it found nothing"
    )
    other = replace(found, filename="my_menu.pdf")
    near = (await inference.decide(scene(outcomes=(outcome(request, "", other),)))).move
    assert isinstance(near, Fail)
    assert near.message.endswith("in this run; did you mean 'my_menu.pdf'?")


async def test_an_expectation_that_holds_is_no_move(script) -> None:
    inference = script(
        """
      - call: {rate: {}}
      - expect:
          model: m
          tools: [code_interpreter, file_search]
          functions: [rate]
          tool_choice: auto
          instructions_contain: travel guide
          messages: 2
          attachments: [menu.pdf]
          outputs_contain: ['1.08', Burger]
      - say: Done."""
    )
    found = Passage(file_id="file-1", filename="menu.pdf", score=0.9, text="Burger 23.75")
    fitting = scene(
        tools=frozenset({"file_search", "code_interpreter"}),
        functions=(OfferedFunction(name="rate"),),
        messages=(
            SceneMessage(role=Role.USER, text="Hi", filenames=("menu.pdf",)),
            SceneMessage(role=Role.ASSISTANT, text="Hello."),
        ),
        outcomes=(outcome(RATE, "1.08", found),),
    )
    assert (await inference.decide(fitting)).move == Answer(text="Done.")


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ("{tools: [file_search]}", "tools: expected [file_search], found []"),
        ("{functions: [rate]}", "functions: expected [rate], found []"),
        ("{model: other}", "model: expected 'other', found 'm'"),
        ("{messages: 3}", "messages: expected 3, found 1"),
        ("{attachments: [a.pdf]}", "attachments: expected [a.pdf], found []"),
        ("{tool_choice: required}", "tool_choice: expected 'required', found 'auto'"),
        ("{instructions_contain: pirate}", "instructions: 'pirate' is not in them"),
        ("{outputs_contain: '331'}", "outputs: '331' is in none of the 0 outputs"),
    ],
)
async def test_an_expectation_that_does_not_hold_fails_the_run_and_says_where_and_why(script, expected, difference):
    move = (await script(f"[{{expect: {expected}}}, {{say: x}}]").decide(scene())).move
    assert isinstance(move, Fail)
    assert move.code == "invalid_prompt"
    assert "moves.yaml:3:22 does not hold: " + difference in move.message


async def test_tokens_are_as_written_or_else_estimated(script) -> None:
    written = await script("[{say: x, tokens: {input: 10, output: 3}}]").decide(scene())
    assert written.spent == Spent(input_tokens=10, output_tokens=3)
    estimated = await script("[{say: one two three}]").decide(scene())
    assert estimated.spent.output_tokens == 4
    assert estimated.spent.input_tokens > 0


@pytest.mark.parametrize(
    ("whole", "mistakes"),
    [
        ("script: []", ["1:1: unknown key 'script'; did you mean 'scripts'?"]),
        ("moves: []", ["1:1: unknown key 'moves'; it belongs under scripts"]),
        ("{}", ["1:1: is empty"]),
        ("scripts: []", ["1:10: scripts: is empty"]),
        (
            "scripts: [{question: any}]",
            ["1:11: scripts[0]: the key 'moves' is missing; what the model does, one after the other"],
        ),
        (
            "scripts: [{moves: [{say: x}]}]",
            [
                "1:11: scripts[0]: the key 'question' is missing; `any` for every question, or {contains: TEXT}, "
                "or {matches: REGEX}"
            ],
        ),
        (
            "scripts: [{question: all, moves: [{say: x}]}]",
            ["1:22: scripts[0].question: unknown question 'all'; known are any, {contains: TEXT}, {matches: REGEX}"],
        ),
        (
            "scripts: [{question: {matches: '('}, moves: [{say: x}]}]",
            ["1:32: scripts[0].question.matches: this is no regular expression: missing ) at position 1"],
        ),
        (
            "scripts:\n  - {question: any, moves: [{say: x}]}\n  - {question: {contains: a}, moves: [{say: y}]}",
            [
                "2:16: scripts[0].question: every question fits this one, so what follows from line 3 on is never "
                "reached; put it last"
            ],
        ),
        (
            "otherwise: offline\nscripts: [{question: any, moves: [{say: x}]}]",
            ["1:12: otherwise: it is never reached: every question fits the script on line 2; remove one of the two"],
        ),
        (
            "rulings:\n  - {question: any, says: 1}\n  - {question: any, about: {contains: a}, says: 0}",
            [
                "2:16: rulings[0].question: every question fits this one, so what follows from line 3 on is never "
                "reached; put it last"
            ],
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(script, whole, mistakes) -> None:
    with pytest.raises(ConfigError) as caught:
        script(whole=whole)
    assert [str(problem).partition("moves.yaml:")[2] for problem in caught.value.problems] == mistakes


@pytest.mark.parametrize(
    ("moves", "mistake"),
    [
        ("[{sya: x}]", "3:14: scripts[0].moves[0]: unknown move 'sya'; did you mean 'say'?"),
        ("[{say: x}, {say: y}]", "3:23: scripts[0].moves[1]: no move can follow the one that ends the run"),
        ("[{call: {rate: {}}}]", "3:12: scripts[0].moves: after the last of these moves the run has no end"),
        ("[{wait: 1}]", "3:12: scripts[0].moves: after the last of these moves the run has no end"),
        ("[{wait: soon}, {say: x}]", "3:20: scripts[0].moves[0].wait: expected a number, found 'soon'"),
        ("[{wait: 1, say: x}]", "3:13: scripts[0].moves[0]: 2 moves in one item: wait, say; begin each with '- '"),
        ("[{saying: x}]", "3:13: scripts[0].moves[0]: there is no move beside this"),
        (
            "[{refuse: x, saying: y}]",
            "3:33: scripts[0].moves[0].saying: 'saying' has no meaning beside 'refuse'; remove it",
        ),
        ("[{say: }]", "3:18: scripts[0].moves[0].say: there is no value; write '' for an empty text"),
        (
            "[{fail: server_eror}]",
            "3:20: scripts[0].moves[0].fail: unknown code 'server_eror'; did you mean 'server_error'?",
        ),
        ("[{fail: {message: x}}]", "3:14: scripts[0].moves[0].fail: the key 'code' is missing"),
        (
            "[{incomplete: tired}]",
            "3:26: scripts[0].moves[0].incomplete: unknown reason 'tired'; known are max_completion_tokens",
        ),
        ("[{expire: now}]", "3:22: scripts[0].moves[0].expire: 'expire' takes no value"),
        ("[{stay: quued}]", "3:20: scripts[0].moves[0].stay: unknown state 'quued'; did you mean 'queued'?"),
        ("[{wait: 1}, {stay: queued}]", "3:24: scripts[0].moves[1]: only a run that has not begun can stay queued"),
        (
            "[{call: {a: 1, b: 2}}, {say: x}]",
            "3:20: scripts[0].moves[0].call: 2 keys in one item; begin each with '- '",
        ),
        (
            "[{expect: {tool: []}}, {say: x}]",
            "3:23: scripts[0].moves[0].expect: unknown expectation 'tool'; did you mean 'tools'?",
        ),
        (
            "[{expect: {tools: file_search}}, {say: x}]",
            "3:30: scripts[0].moves[0].expect.tools: expected a list, found 'file_search'; write [file_search]",
        ),
        (
            "[{expect: {messages: 1.5}}, {say: x}]",
            "3:33: scripts[0].moves[0].expect.messages: expected a whole number, found 1.5",
        ),
        ("[{say: x, tokens: {input: -1}}]", "3:38: scripts[0].moves[0].tokens.input: must be at least 0, found -1"),
        ("[{call: [{rate: {}}, a text]}, {say: x}]", "3:33: scripts[0].moves[0].call[1]: expected a mapping"),
        ("[{say: {text: x, paus: 1}}]", "3:29: scripts[0].moves[0].say: unknown key 'paus'; did you mean 'pause'?"),
        ("[{wait: 1e999999999999999999999}, {say: x}]", "3:20: scripts[0].moves[0].wait: expected a number"),
        ("[*x]", "3:13: "),
    ],
)
def test_a_mistake_in_a_move_is_told_with_its_place(script, moves, mistake) -> None:
    with pytest.raises(ConfigError) as caught:
        script(moves)
    assert str(caught.value.problems[0]).partition("moves.yaml:")[2].startswith(mistake)


def test_the_example_of_the_documentation_is_a_script_without_mistakes(script) -> None:
    page = (Path(__file__).parents[3] / "docs" / "scripted.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(# tests/moves\.yaml\n.*?)```", page, re.DOTALL)
    script(whole=example)


def test_a_file_that_is_missing_is_told_as_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml:1:1: the file can't be read"):
        create({"script": str(tmp_path / "gone.yaml")})


async def test_a_run_that_the_script_keeps_queued_stays_so_until_it_is_cancelled(script, tmp_path: Path) -> None:
    async with engine_at(tmp_path / "state", script("[{stay: queued}]")) as engine:
        order = RunOrder(assistant_id=make_assistant(engine).id)
        run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), order)
        await asyncio.sleep(0.05)
        before = need(engine, RunRecord, run.id).state
        cancel_run(engine, run.thread_id, run.id)
        after = await ended(engine, run.id)
    assert (before, after.state) == (RunState.QUEUED, RunState.CANCELLED)


async def test_a_run_that_the_script_keeps_in_progress_does_not_end(script, tmp_path: Path) -> None:
    async with engine_at(tmp_path / "state", script("[{stay: in_progress}]")) as engine:
        order = RunOrder(assistant_id=make_assistant(engine).id)
        run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), order)
        await until(lambda: need(engine, RunRecord, run.id).state is RunState.IN_PROGRESS)
        await asyncio.sleep(0.05)
        assert need(engine, RunRecord, run.id).state is RunState.IN_PROGRESS


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ("[{call: {code_interpreter: 'print(1 + 1)'}}, {expect: {outputs_contain: '2'}}, {say: Two.}]", "completed"),
        ("[{call: {code_interpreter: 'print(1 + 1)'}}, {expect: {outputs_contain: '3'}}, {say: Two.}]", "failed"),
        ("[{refuse: No.}]", "completed"),
        ("[{fail: invalid_prompt}]", "failed"),
        ("[{incomplete: max_completion_tokens}]", "incomplete"),
        ("[expire]", "expired"),
    ],
)
async def test_the_engine_does_as_the_script_says(script, tmp_path: Path, moves, state) -> None:
    async with engine_at(tmp_path / "state", script(moves)) as engine:
        order = RunOrder(assistant_id=make_assistant(engine, "code_interpreter").id)
        run = await ask(engine, order, "Hi")
    assert run.state is RunState(state)


OTHERWISE = """
otherwise: offline
scripts:
  - {question: {contains: joke}, times: 1, moves: [{refuse: No.}]}
"""


async def test_what_no_script_is_for_is_left_to_the_offline_rules_where_the_file_says_so(script) -> None:
    inference = script(whole=OTHERWISE)
    assert inference.name == "scripted+offline"
    refused = await inference.decide(scene("Tell me a joke"))
    assert (refused.move, refused.by) == (Refuse(text="No."), "")
    declined, split = (
        await inference.decide(scene("Tell me a joke")),
        await inference.decide(scene("What is 15% of 80?")),
    )
    assert isinstance(declined.move, Answer)
    assert (declined.move.declined, declined.by, declined.spent) == (True, "offline", None)
    assert isinstance(split.move, Answer)
    assert (split.move.declined, split.by) == (False, "offline")


async def test_without_it_a_question_that_no_script_is_for_says_what_can_be_written(script) -> None:
    move = (await script(whole=OTHERWISE.replace("otherwise: offline", "")).decide(scene("Hi"))).move
    assert isinstance(move, Fail)
    assert move.code == "invalid_prompt"
    assert "is for the question 'Hi'; write one, or `otherwise: offline` at the top" in move.message


@pytest.mark.parametrize("otherwise", ["offlin", "scripted", "[offline]"])
def test_only_the_offline_rules_can_have_the_rest(script, otherwise) -> None:
    with pytest.raises(ConfigError, match=r"moves\.yaml:2:12: otherwise: "):
        script(whole=OTHERWISE.replace(": offline", f": {otherwise}", 1))


@pytest.mark.parametrize(
    ("moves", "says"),
    [
        ("[{call: {code_interpeter: {}}}, {say: x}]", ":3:13 is of a tool that is not on offer: code_interpeter; did"),
        ("[{call: {rates: {}}}, {say: x}]", ":3:13 is of a tool that is not on offer: rates; on offer are code_int"),
        (
            "[{call: {code_interpreter: print(1)}}, {expect: {outputs_contain: '2'}}, {say: x}]",
            ":3:60 does not hold: outputs: '2' is in none of the 1 outputs: 1",
        ),
    ],
)  # fmt: skip
async def test_a_script_s_mistake_ends_the_run_with_its_place_and_for_good(script, tmp_path, moves, says) -> None:
    async with engine_at(tmp_path / "state", script(moves)) as engine:
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine, "code_interpreter").id), "Hi")
    assert run.failure is not None
    assert run.failure.code == "invalid_prompt"
    assert says in run.failure.message


async def test_a_script_with_times_makes_room_for_the_next_after_so_many_runs_about_the_same(script) -> None:
    inference = script(
        whole="""scripts:
  - {question: any, times: 1, moves: [{call: {look_up: {}}}, {fail: server_error}]}
  - {question: any, moves: [{call: {look_up: {}}}, {say: Better.}]}
"""
    )
    answered = (ToolOutcome(request=FunctionRequest(name="look_up", arguments="{}"), completed=True),)

    async def run(question: str) -> object:
        await inference.admit(scene(question))
        await inference.decide(scene(question))
        return (await inference.decide(scene(question, outcomes=answered))).move

    first, second, other = await run("How much?"), await run("How much?"), await run("How many?")

    assert isinstance(first, Fail)
    assert second == Answer(text="Better.")
    assert isinstance(other, Fail)


async def test_what_a_move_has_cost_may_be_unknown(script) -> None:
    assert (await script("[{say: Hi, tokens: unknown}]").decide(scene())).spent is None
