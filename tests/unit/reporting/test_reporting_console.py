"""What people see on the screen."""

import io
from dataclasses import replace

from runner.domain.assistant import Address
from runner.domain.conversation import Run, RunId, RunStatus, Step, ThreadId
from runner.domain.events import PlayFinished, PlayStarted, ScenarioFinished, ScenarioStarted
from runner.domain.location import Location
from runner.domain.report import Report, ScenarioResult, TurnResult
from runner.domain.scenario import Scenario, Turn
from runner.domain.verdict import Outcome, Verdict
from runner.redaction import Redactor
from runner.reporting.console import Console

PLACE = Location("scenarios/receipt.yaml", 3, 5)
TURN = Turn(ask="How much for burger and soda?", location=PLACE)
SCENARIO = Scenario(name="receipt", assistant=Address("guide"), turns=(TURN,), location=PLACE)
RUN = Run(
    id=RunId("run_1"),
    thread_id=ThreadId("thread_1"),
    status=RunStatus.COMPLETED,
    text="You pay $39.25.",
    steps=(Step(tool="file_search", completed=True),),
)
PASSED = ScenarioResult(
    scenario=SCENARIO, outcome=Outcome.PASSED, turns=(TurnResult(turn=TURN, outcome=Outcome.PASSED, run=RUN),)
)
WRONG = Verdict(
    outcome=Outcome.FAILED,
    check="number",
    location=Location("scenarios/receipt.yaml", 7, 9),
    expected="39.26",
    found="39.25",
    reason="the final number in the answer is 39.25",
)
FAILED = replace(
    PASSED,
    outcome=Outcome.FAILED,
    turns=(TurnResult(turn=TURN, outcome=Outcome.FAILED, run=RUN, verdicts=(WRONG,)),),
)


def shown(result: ScenarioResult, *, is_quiet: bool = False, secrets: tuple[str, ...] = (), planned: int = 1) -> str:
    stream = io.StringIO()
    console = Console(stream, Redactor(secrets), is_quiet=is_quiet)
    report = Report(target="embedded", api="assistants", inference="offline", planned=planned, results=(result,))
    console.on_event(PlayStarted(target="embedded", api="assistants", inference="offline", planned=planned))
    console.on_event(ScenarioStarted(scenario=result.scenario))
    console.on_event(ScenarioFinished(result=result))
    console.on_event(PlayFinished(report=report))
    return stream.getvalue()


def test_a_pass_shows_question_answer_and_tools() -> None:
    text = shown(PASSED)
    assert "PASSED   receipt" in text
    assert "? How much for burger and soda?" in text
    assert "= You pay $39.25.  [file_search]" in text
    assert text.splitlines()[-1].startswith("1 passed in ")


def test_a_call_that_did_not_complete_is_not_taken_for_one_that_did() -> None:
    denied = Step(tool="mcp", label="dice.roll", completed=False)
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=replace(RUN, steps=(denied, *RUN.steps, *RUN.steps)))
    text = shown(replace(PASSED, turns=(turn,)))
    assert "= You pay $39.25.  [mcp dice.roll (not completed), file_search]" in text


def test_a_sandbox_other_than_the_usual_one_is_named() -> None:
    stream = io.StringIO()
    started = PlayStarted(target="t", api="assistants", inference="scripted", planned=1, sandbox="wasi")
    for event in (started, replace(started, sandbox="monty")):
        Console(stream, Redactor(()), is_quiet=True).on_event(event)
    first, second = stream.getvalue().splitlines()
    assert (first, second) == (
        f"{second} · code runs in the sandbox wasi",
        "target t · assistants api · answered by scripted",
    )


def test_offline_rules_are_never_taken_for_a_model() -> None:
    assert "offline rules, not a language model" in shown(PASSED).splitlines()[0]


def test_a_failure_shows_place_question_answer_expected_found_and_reason() -> None:
    text = shown(FAILED)
    for part in (
        "scenarios/receipt.yaml:7:9",
        "How much for burger and soda?",
        "You pay $39.25.",
        "expected  39.26",
        "found     39.25",
        "the final number in the answer is 39.25",
    ):
        assert part in text


def test_quiet_leaves_out_what_passed() -> None:
    assert "How much" not in shown(PASSED, is_quiet=True)
    assert "How much" in shown(FAILED, is_quiet=True)


def test_a_hostile_answer_and_name_do_not_reach_the_terminal() -> None:
    evil = replace(RUN, text="\x1b]0;owned\x07\n::error::owned [red]not markup[/red]")
    scenario = replace(SCENARIO, name="a\x1b[31m\nb")
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=evil)
    text = shown(replace(PASSED, scenario=scenario, turns=(turn,)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]not markup[/red]" in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_whatever_else_comes_from_files_or_from_afar_does_not_reach_the_terminal_either() -> None:
    hostile = "\x1b]52;c;cm0gLXJm\x07\u202e::error::"
    place = Location(f"scenarios/{hostile}.yaml", 3, 5)
    step = Step(tool="mcp", label=hostile, completed=True)
    turn = TurnResult(
        turn=replace(TURN, location=place),
        outcome=Outcome.FAILED,
        run=replace(RUN, steps=(step,), text=""),
        verdicts=(replace(WRONG, location=place, expected=hostile, found=hostile, reason=hostile),),
        reason=hostile,
    )
    result = replace(FAILED, turns=(turn,), reason=hostile)
    stream = io.StringIO()
    console = Console(stream, Redactor(()))
    report = Report(target="t", api="responses", inference=hostile, planned=1, results=(result,), leftovers=(hostile,))
    notes = (f"functions run code of this project: {hostile}.py:rate",)
    console.on_event(PlayStarted(target="t", api="responses", inference=hostile, planned=1, notes=notes))
    console.on_event(ScenarioStarted(scenario=result.scenario))
    console.on_event(ScenarioFinished(result=result))
    console.on_event(PlayFinished(report=report))
    text = stream.getvalue()
    assert "functions run code of this project: " in text
    for forbidden in ("\x1b", "\x07", "\u202e"):
        assert forbidden not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_what_is_left_behind_several_times_is_told_once() -> None:
    stream = io.StringIO()
    report = Report(target="t", api="responses", inference="", planned=0, results=(), leftovers=("one", "two", "two"))
    Console(stream, Redactor(())).on_event(PlayFinished(report=report))
    lines = [line for line in stream.getvalue().splitlines() if line]
    assert lines[:2] == ["left behind  one", "left behind  two (2 times)"]


def test_a_secret_in_an_answer_is_redacted() -> None:
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=replace(RUN, text="the key is sk-canary-1234"))
    text = shown(replace(PASSED, turns=(turn,)), secrets=("sk-canary-1234",))
    assert "canary" not in text


def test_a_long_answer_is_cut_and_says_so() -> None:
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=replace(RUN, text="x" * 100_000))
    text = shown(replace(PASSED, turns=(turn,)))
    assert "(shortened)" in text
    assert len(text) < 5_000


def test_scenarios_that_were_cut_off_are_counted() -> None:
    assert "2 cut off" in shown(PASSED, planned=3).splitlines()[-1]
