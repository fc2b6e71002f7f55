"""What people see on the screen."""

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.cells import cell_len

from runner.domain.assistant import Address
from runner.domain.conversation import Run, RunId, RunStatus, Step, ThreadId, Usage
from runner.domain.report import (
    NO_MODEL,
    Attempt,
    Outcome,
    PlayFinished,
    PlayStarted,
    Report,
    Retry,
    ScenarioFinished,
    ScenarioResult,
    ScenarioStarted,
    TurnResult,
    TurnStarted,
    Variant,
    Verdict,
)
from runner.domain.scenario import Scenario, Turn
from runner.errors import Location
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
VARIANT = Variant(target="embedded", api="assistants", inference="offline")


def result(scenario: Scenario, outcome: Outcome, *turns: TurnResult, reason: str = "") -> ScenarioResult:
    attempt = Attempt(outcome=outcome, turns=turns, reason=reason)
    return ScenarioResult(scenario=scenario, outcome=outcome, attempts=(attempt,), reason=reason, variant=VARIANT)


PASSED = result(SCENARIO, Outcome.PASSED, TurnResult(turn=TURN, outcome=Outcome.PASSED, run=RUN))
WRONG = Verdict(
    outcome=Outcome.FAILED,
    check="number",
    location=Location("scenarios/receipt.yaml", 7, 9),
    expected="39.26",
    found="39.25",
    reason="the final number in the answer is 39.25",
)
FAILED = result(SCENARIO, Outcome.FAILED, TurnResult(turn=TURN, outcome=Outcome.FAILED, run=RUN, verdicts=(WRONG,)))
DECLINED = result(
    SCENARIO,
    Outcome.ERRORED,
    TurnResult(
        turn=TURN,
        outcome=Outcome.ERRORED,
        run=replace(RUN, text="", declined="I can't answer this."),
        reason="declined: it is no question that the rules know",
    ),
)
NOT_STARTED = ScenarioResult(scenario=SCENARIO, outcome=Outcome.SKIPPED, reason="not started: 'receipt' did not pass")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def named(result: ScenarioResult, name: str) -> ScenarioResult:
    return replace(result, scenario=replace(result.scenario, name=name))


def play(
    stream: io.StringIO, results: Sequence[ScenarioResult], *, secrets: tuple[str, ...] = (), **settings: object
) -> str:
    """What a console prints of a play with these results."""
    details = {key: settings.pop(key) for key in ("planned", "signal", "leftovers") if key in settings}
    console = Console(stream, Redactor(secrets), **settings)
    about = {"variants": (VARIANT,), "planned": len(results)}
    report = Report(**{**about, **details}, results=tuple(results))
    console.on_event(PlayStarted(**about))
    for result in results:
        if result.turns:
            console.on_event(ScenarioStarted(scenario=result.scenario, variant=VARIANT))
            console.on_event(ScenarioFinished(result=result))
    console.on_event(PlayFinished(report=report))
    return stream.getvalue()


def shown(*results: ScenarioResult, **settings: object) -> str:
    return play(io.StringIO(), results, **settings)


def test_a_pass_is_one_line() -> None:
    lines = shown(PASSED).splitlines()
    assert lines[2:] == ["PASSED   receipt  0.00 s", "", "1 passed in 0.00 s"]


def test_a_pass_shows_question_answer_and_tools_where_that_is_wanted() -> None:
    text = shown(PASSED, is_verbose=True)
    assert "? How much for burger and soda?" in text
    assert "= You pay $39.25.  [file_search]" in text


def test_a_weak_pass_and_a_second_attempt_are_told_in_the_line() -> None:
    weak = Verdict(outcome=Outcome.PASSED, check="contains", location=PLACE, weak=True)
    turn = replace(PASSED.turns[0], verdicts=(weak, weak))
    retried = (Retry(code="server_error", reason="It broke."),)
    attempt = Attempt(outcome=Outcome.PASSED, turns=(turn,), retried=retried)
    text = shown(replace(PASSED, attempts=(attempt,)))
    assert "PASSED   receipt  0.00 s · played again after server_error: It broke. · weak pass of `contains`\n" in text
    assert text.splitlines()[-2:] == ["weak passes, which prove little: 1 by `contains`", "1 passed in 0.00 s"]


def test_names_stand_in_columns_whatever_their_characters_take_up() -> None:
    named = [replace(FAILED, scenario=replace(SCENARIO, name=name)) for name in ("price", "價格", "cafe\u0301 🛶")]
    *_, one, two, three, _, _ = shown(*named).splitlines()
    place = "scenarios/receipt.yaml"
    assert [cell_len(line.partition(place)[0]) for line in (one, two, three)] == [18, 18, 18]


def test_a_pass_tells_which_of_its_calls_broke() -> None:
    steps = (Step(tool="rates", completed=False, output="KeyError"), Step(tool="order", completed=False))
    turn = replace(
        PASSED.turns[0], run=replace(PASSED.turns[0].run, steps=(*steps, Step(tool="order", completed=True)))
    )
    text = shown(replace(PASSED, attempts=(replace(PASSED.attempts[0], turns=(turn,)),)))
    assert "PASSED   receipt  0.00 s · rates broke\n" in text


def test_the_same_reason_to_play_again_is_told_once() -> None:
    broke, busy = Retry(code="server_error", reason="It {broke}."), Retry(code="rate_limit_exceeded")
    attempt = Attempt(outcome=Outcome.PASSED, turns=PASSED.turns, retried=(broke, busy, broke, broke))
    text = shown(replace(PASSED, attempts=(attempt,)))
    assert " · played again 3 times after server_error: It {broke}. · played again after rate_limit_exceeded\n" in text


def test_a_long_word_keeps_its_distance() -> None:
    """`runner judge` tells of scenarios that it left out."""
    stream = io.StringIO()
    left_out = replace(PASSED, outcome=Outcome.SKIPPED, attempts=())
    Console(stream, Redactor(())).on_event(ScenarioFinished(result=left_out))
    assert stream.getvalue() == "NOT STARTED receipt  0.00 s\n"


def test_the_place_of_a_row_in_another_file_can_be_pasted_into_a_shell() -> None:
    row, file = Location("scenarios/files/prices.csv", 3, 1), Location("scenarios/list.yaml", 3, 1)
    scenario = replace(FAILED.scenario, name="list [two]", location=row, declared_at=file)
    told = shown(replace(FAILED, scenario=scenario))
    assert "'scenarios/list.yaml::list [two]'" in told
    assert "\n  row scenarios/files/prices.csv:3:1\n" in told, "what is wrong may be wrong there"


def test_a_call_that_did_not_complete_is_not_taken_for_one_that_did() -> None:
    denied = Step(tool="mcp", label="dice.roll", completed=False)
    run = replace(RUN, steps=(denied, *RUN.steps, *RUN.steps))
    passed = result(SCENARIO, Outcome.PASSED, replace(PASSED.turns[0], run=run))
    failed = result(SCENARIO, Outcome.FAILED, replace(FAILED.turns[0], run=run))
    assert "= You pay $39.25.  [mcp dice.roll (not completed), file_search]" in shown(passed, is_verbose=True)
    assert "  tools     mcp dice.roll → not completed\n            file_search\n" in shown(failed)


def test_a_sandbox_other_than_the_usual_one_is_named() -> None:
    stream = io.StringIO()
    unusual = Variant(target="t", api="assistants", inference="scripted", sandbox="wasi")
    for variant in (unusual, replace(unusual, sandbox="monty")):
        Console(stream, Redactor(()), is_quiet=True).on_event(PlayStarted(variants=(variant,), planned=1))
    first, second = stream.getvalue().splitlines()
    assert (first, second) == (
        f"{second} · code runs in the sandbox wasi",
        "target t · assistants api · answered by scripted",
    )


def test_offline_rules_are_never_taken_for_a_model() -> None:
    assert "offline rules, not a language model" in shown(PASSED).splitlines()[0]


def test_a_failure_shows_place_question_answer_tools_expected_found_and_reason() -> None:
    assert shown(FAILED).splitlines()[2:] == [
        "FAILED   receipt  0.00 s",
        "  scenarios/receipt.yaml:3:5",
        "  question  How much for burger and soda?",
        "  answer    You pay $39.25.",
        "  tools     file_search",
        "  number: scenarios/receipt.yaml:7:9",
        "    expected  39.26",
        "    found     39.25",
        "    reason    the final number in the answer is 39.25",
        "",
        "FAILED   receipt  scenarios/receipt.yaml:3",
        "",
        "1 failed in 0.00 s",
    ]


def test_a_failure_is_told_when_it_happens_and_once_more_at_the_end_with_a_list_of_names() -> None:
    errored = replace(FAILED, outcome=Outcome.ERRORED)
    others = [named(PASSED, "two")] * 21
    lines = shown(named(FAILED, "one"), *others, named(errored, "three")).splitlines()
    told = [line for line in lines if re.match("FAILED|ERRORED|PASSED|Once", line)]
    assert told == [
        "FAILED   one  0.00 s",
        *["PASSED   two  0.00 s"] * 21,
        "ERRORED  three  0.00 s",
        "Once more, what did not pass:",
        "FAILED   one  0.00 s",
        "ERRORED  three  0.00 s",
        "FAILED   one    scenarios/receipt.yaml:3",
        "ERRORED  three  scenarios/receipt.yaml:3",
    ]
    assert lines[-1] == "1 failed, 1 errored, 21 passed in 0.00 s"


def test_what_can_still_be_seen_is_not_told_once_more() -> None:
    text = shown(named(PASSED, "one"), FAILED, *[named(PASSED, "two")] * 20, FAILED)
    assert (text.count("expected  39.26"), "Once more" in text) == (2, False)


def test_quiet_leaves_out_what_passed() -> None:
    text = shown(PASSED, FAILED, PASSED, is_quiet=True)
    assert "PASSED" not in text
    assert text.count("How much") == 1


def test_a_decline_is_a_line_and_its_reason_stands_once_at_the_end() -> None:
    lines = shown(DECLINED, named(DECLINED, "other"), PASSED).splitlines()
    assert lines[2:] == [
        "DECLINED receipt  0.00 s · it is no question that the rules know",
        "DECLINED other  0.00 s · it is no question that the rules know",
        "PASSED   receipt  0.00 s",
        "",
        f"2 declined: {NO_MODEL}",
        "",
        "2 declined, 1 passed in 0.00 s",
    ]


def test_a_decline_names_its_turn_and_its_reason_in_short() -> None:
    scenario = replace(SCENARIO, turns=(TURN, TURN, TURN))
    turn = replace(DECLINED.turns[0], reason=f"declined: no line{' and no line' * 30}")
    (line,) = (
        one
        for one in shown(result(scenario, Outcome.ERRORED, PASSED.turns[0], turn)).splitlines()
        if one.startswith("DECLINED receipt  0.00 s · turn 2 · no line and no line")
    )
    assert line.endswith("…")
    assert len(line) < 200


def test_what_a_call_was_given_and_what_came_of_it_is_shown_where_a_check_said_no() -> None:
    steps = (
        Step(tool="outage_status", completed=True, input='{"postcode": 5003}', output="outage until 19:30"),
        Step(tool="rate", completed=False, input="{}", output="error: tools/rates.py:3: KeyError: 'NOK'"),
        *(Step(tool="code_interpreter", completed=True, input="print(1)\n" * 100, output="1\n"),) * 8,
    )
    turn = replace(FAILED.turns[0], run=replace(RUN, steps=steps))
    lines = shown(result(SCENARIO, Outcome.FAILED, turn)).splitlines()
    at = lines.index('  tools     outage_status {"postcode": 5003} → outage until 19:30')
    assert lines[at + 1] == "            rate → not completed: error: tools/rates.py:3: KeyError: 'NOK'"
    assert lines[at + 2].startswith("            code_interpreter print(1) print(1)")
    assert lines[at + 2].endswith("… → 1")
    assert lines[at + 8] == "            and 2 further calls"


def test_a_decline_that_is_allowed_says_that_it_was_skipped() -> None:
    text = shown(replace(DECLINED, outcome=Outcome.SKIPPED, reason=f"declined: {NO_MODEL}"))
    assert "SKIPPED  receipt  0.00 s · declined: it is no question that the rules know\n" in text
    assert text.splitlines()[-1] == "1 skipped in 0.00 s"
    assert text.count(NO_MODEL) == 1


def test_what_was_not_started_is_counted_once_with_the_reason() -> None:
    text = shown(FAILED, *([NOT_STARTED] * 46))
    assert text.count("46 not started: 'receipt' did not pass") == 1
    assert text.splitlines()[-3:-1] == ["46 not started: 'receipt' did not pass", ""]
    assert text.splitlines()[-1] == "1 failed, 46 not started in 0.00 s"


def test_an_interrupted_play_says_what_was_cut_off_and_what_never_began() -> None:
    waiting = replace(NOT_STARTED, reason="not started: the play was interrupted")
    lines = shown(PASSED, waiting, waiting, planned=5, signal=2).splitlines()
    assert lines[-3:] == [
        "2 not started: the play was interrupted",
        "",
        "1 passed, 2 cut off, 2 not started in 0.00 s (interrupted)",
    ]


def test_a_hostile_answer_and_name_do_not_reach_the_terminal() -> None:
    evil = replace(RUN, text="\x1b]0;owned\x07\n::error::owned [red]not markup[/red]")
    scenario = replace(SCENARIO, name="a\x1b[31m\nb")
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=evil)
    text = shown(result(scenario, Outcome.PASSED, turn), is_verbose=True)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]not markup[/red]" in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SKIPPED])
def test_whatever_else_comes_from_files_or_from_afar_does_not_reach_the_terminal_either(outcome: Outcome) -> None:
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
    scenario = replace(SCENARIO, name=hostile, location=place)
    attempt = Attempt(outcome=outcome, turns=(turn,), reason=hostile, retried=(Retry(code="x", reason=hostile),))
    hostile_variant = Variant(target="t", api="responses", inference=hostile)
    result = ScenarioResult(
        scenario=scenario, outcome=outcome, attempts=(attempt,), reason=hostile, variant=hostile_variant
    )
    stream = io.StringIO()
    console = Console(stream, Redactor(()))
    skipped = replace(result, attempts=(), outcome=Outcome.SKIPPED)
    results = (result, PASSED, skipped)
    report = Report(variants=(hostile_variant,), planned=3, results=results, leftovers=(hostile,))
    notes = (f"functions run code of this project: {hostile}.py:rate",)
    console.on_event(PlayStarted(variants=(hostile_variant,), planned=1, notes=notes))
    for one in (result, PASSED):
        console.on_event(ScenarioStarted(scenario=one.scenario, variant=VARIANT))
        console.on_event(ScenarioFinished(result=one))
    console.on_event(PlayFinished(report=report))
    text = stream.getvalue()
    assert "functions run code of this project: " in text
    for forbidden in ("\x1b", "\x07", "\u202e"):
        assert forbidden not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_what_is_left_behind_several_times_is_told_once() -> None:
    stream = io.StringIO()
    report = Report(variants=(VARIANT,), planned=0, results=(), leftovers=("one", "two", "two"))
    Console(stream, Redactor(())).on_event(PlayFinished(report=report))
    lines = [line for line in stream.getvalue().splitlines() if line]
    assert lines[:2] == ["left behind  one", "left behind  two (2 times)"]


def test_a_secret_in_an_answer_is_redacted() -> None:
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=replace(RUN, text="the key is sk-canary-1234"))
    text = shown(result(SCENARIO, Outcome.PASSED, turn), secrets=("sk-canary-1234",), is_verbose=True)
    assert "canary" not in text


def test_a_long_answer_is_cut_and_says_so() -> None:
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=replace(RUN, text="x" * 100_000))
    text = shown(result(SCENARIO, Outcome.PASSED, turn), is_verbose=True)
    assert "(shortened)" in text
    assert len(text) < 5_000


def test_a_pipe_gets_whole_lines_without_colours() -> None:
    turn = replace(FAILED.turns[0], run=replace(RUN, text="word " * 100))
    text = shown(result(SCENARIO, Outcome.FAILED, turn))
    assert f"  answer    {('word ' * 100).rstrip()}\n" in text
    assert "\x1b" not in text


class TestOnATerminal:
    @pytest.fixture(autouse=True)
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("TERM", "xterm-256color")
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name, raising=False)

    def lines(self, *results: ScenarioResult, **settings: object) -> list[str]:
        """What a terminal shows, but for the line at the bottom."""
        printed = play(Terminal(), results, **settings)
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed)
        return [line.rpartition("\r")[2] for line in plain.split("\n")]

    def test_words_wrap_with_their_indent(self) -> None:
        words = " ".join(f"word{number}" for number in range(40))
        turn = replace(FAILED.turns[0], run=replace(RUN, text=f"{words}\n\n  * {words}"))
        lines = self.lines(result(SCENARIO, Outcome.FAILED, turn))
        assert max(map(len, lines)) <= 80
        at = next(number for number, line in enumerate(lines) if line.startswith("  answer    word0"))
        assert lines[at + 1].startswith(" " * 12 + "word")
        assert any(line.startswith(" " * 12 + "  * word0") for line in lines)

    def test_wide_characters_count_twice(self) -> None:
        turn = replace(FAILED.turns[0], run=replace(RUN, text="退款" * 60))
        lines = self.lines(result(SCENARIO, Outcome.FAILED, turn))
        wide = [line for line in lines if "退款" in line]
        assert max(map(len, wide)) <= 12 + 34
        assert sum(line.count("退款") for line in wide) == 60

    def test_an_address_that_is_longer_than_a_line_is_kept_whole_though_broken(self) -> None:
        address = "https://host.example/" + "x" * 200
        turn = replace(FAILED.turns[0], run=replace(RUN, text=address))
        lines = self.lines(result(SCENARIO, Outcome.FAILED, turn))
        at = next(number for number, line in enumerate(lines) if "https://" in line)
        assert "".join(line[12:] for line in lines[at : at + 4]).startswith(address)

    def test_the_line_at_the_bottom_has_counts_time_and_turn_and_is_cut_where_it_is_too_long(self) -> None:
        now = [0.0]
        stream = Terminal()
        console = Console(stream, Redactor(()), clock=lambda: now[0])
        scenario = replace(SCENARIO, turns=(TURN, TURN, TURN))
        console.on_event(PlayStarted(variants=(VARIANT,), planned=50))
        for name in ("a", "b", "c"):
            console.on_event(ScenarioStarted(scenario=replace(scenario, name=name), variant=VARIANT))
        for result in (named(FAILED, "a"), named(PASSED, "b")):
            console.on_event(ScenarioFinished(result=result))
        console.on_event(TurnStarted(scenario=replace(scenario, name="c"), variant=VARIANT, number=2))
        console.on_event(ScenarioStarted(scenario=replace(scenario, name="long " * 30), variant=VARIANT))
        now[0] = 65.4
        stream.truncate(0)
        console.close()
        (last,) = [
            line for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()).splitlines() if "50" in line
        ]
        assert last.startswith("2/50 · 1 failed · 1 passed · 1:05 · c 2/3, long long")
        assert last.endswith("…")
        assert len(last) == 80

    def test_a_width_that_is_none_does_not_silence_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "0")
        assert "1 passed in 0.00 s" in self.lines(PASSED)


@pytest.mark.parametrize(
    ("inferences", "words"),
    [
        (("scripted",), "7 tokens (7 in, 0 out), estimated: a script answered · "),
        (("scripted+offline", "llama3.2"), "7 tokens (7 in, 0 out), in part estimated · "),
        (("llama3.2",), "7 tokens (7 in, 0 out) · "),
        ((None,), "7 tokens (7 in, 0 out) · "),
    ],
)
def test_tokens_that_no_model_used_are_said_to_be_estimated(inferences: tuple[str | None, ...], words: str) -> None:
    stream = io.StringIO()
    run = replace(RUN, usage=Usage(input_tokens=7, output_tokens=0, total_tokens=7))
    variants = tuple(replace(VARIANT, target=f"t{at}", inference=name) for at, name in enumerate(inferences))
    passed = replace(result(SCENARIO, Outcome.PASSED, replace(PASSED.turns[0], run=run)), variant=variants[0])
    report = Report(variants=variants, planned=1, results=(passed,))

    Console(stream, Redactor(()), is_quiet=False).on_event(PlayFinished(report=report))

    assert words in " ".join(stream.getvalue().split())
