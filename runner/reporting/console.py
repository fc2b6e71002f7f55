"""The report on the screen: live progress on a terminal, plain lines elsewhere, every failure at the end."""

from __future__ import annotations

import os
from collections import Counter
from typing import TextIO

from rich.console import Console as RichConsole
from rich.status import Status
from rich.text import Text

from runner.domain.assistant import SandboxName
from runner.domain.events import (
    PlayEvent,
    PlayFinished,
    PlayStarted,
    ScenarioFinished,
    ScenarioStarted,
    TurnFinished,
)
from runner.domain.report import Report, ScenarioResult, TurnResult
from runner.domain.verdict import Outcome, Verdict
from runner.escaping import terminal, terminal_line
from runner.redaction import Redactor

_STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.ERRORED: "bold yellow",
    Outcome.FLAKY: "yellow",
    Outcome.SKIPPED: "dim",
}
_SHOWN_AT_THE_END = frozenset({Outcome.FAILED, Outcome.ERRORED})
ANSWER_CHARACTERS = 2_000
"""Longer answers are cut on the screen; the JSON report has them whole."""
_LABEL_WIDTH = 10


class _Screen(RichConsole):
    """A stream whose reader may go away (`| head`): then it falls silent, and the play goes on to its exit code."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        self.file = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends


class Console:
    """Prints to `stream`. `is_quiet` leaves out the scenarios that passed."""

    def __init__(self, stream: TextIO, redactor: Redactor, *, is_quiet: bool = False) -> None:
        self._console = _Screen(file=stream, highlight=False, markup=False, emoji=False)
        self._redactor = redactor
        self._is_quiet = is_quiet
        self._live: Status | None = None
        self._running: list[str] = []
        self._finished = 0
        self._planned = 0

    def on_event(self, event: PlayEvent) -> None:
        match event:
            case PlayStarted():
                self._start(event)
            case ScenarioStarted():
                self._running.append(event.scenario.name)
                self._show_progress()
            case TurnFinished():
                pass
            case ScenarioFinished():
                self._finish_scenario(event.result)
            case PlayFinished():
                self._finish(event.report)

    def _start(self, event: PlayStarted) -> None:
        self._planned = event.planned
        self._print(self._line(describe_target(event.target, event.api, event.inference, event.sandbox)))
        for note in event.notes:
            self._print(self._line(note))
        if not self._is_quiet:
            self._print("")

    def _finish_scenario(self, result: ScenarioResult) -> None:
        self._running.remove(result.scenario.name)
        self._finished += 1
        if not (self._is_quiet and result.outcome is Outcome.PASSED):
            self._print_scenario(result)
        self._show_progress()

    def _print_scenario(self, result: ScenarioResult) -> None:
        word = (f"{result.outcome.value.upper():8}", _STYLES[result.outcome])
        self._print(word, f" {self._line(result.scenario.name)}  ", (f"{result.duration_s:.2f} s", "dim"))
        if result.retried:
            self._print_field("~", f"played again after {', '.join(result.retried)}", width=2)
        if result.outcome in _SHOWN_AT_THE_END:
            return
        for turn in result.turns:
            self._print_field("?", turn.turn.ask, indent=2, width=2)
            self._print_field("=", _answer_of(turn), indent=2, width=2)
            for verdict in turn.verdicts:
                if verdict.weak:
                    self._print_field(
                        "~", f"weak pass of `{verdict.check}`: {verdict.expected} is somewhere in the answer", width=2
                    )

    def _finish(self, report: Report) -> None:
        self._clear_progress()
        for result in report.results:
            if result.outcome in _SHOWN_AT_THE_END:
                self._print_failure(result)
        for result in report.results:
            if result.outcome is Outcome.SKIPPED:
                self._print(("SKIPPED", "dim"), f"  {self._line(result.scenario.name)}: {self._line(result.reason)}")
        for leftover, times in Counter(report.leftovers).items():
            count = f" ({times} times)" if times > 1 else ""
            self._print(("left behind", "yellow"), f"  {self._line(leftover)}{count}")
        self._print("")
        self._print(*_summarise(report))

    def _print_failure(self, result: ScenarioResult) -> None:
        for number, turn in enumerate(result.turns, start=1):
            if turn.outcome is Outcome.PASSED:
                continue
            word = (turn.outcome.value.upper(), _STYLES[turn.outcome])
            self._print("")
            self._print(
                word, f" {self._line(str(turn.turn.location))}: {self._line(result.scenario.name)}, turn {number}"
            )
            self._print_field("question", turn.turn.ask)
            if turn.run is not None:
                self._print_field("answer", turn.run.text or turn.run.refusal or "(none)")
            if turn.reason:
                self._print_field("reason", turn.reason)
            for verdict in turn.verdicts:
                self._print_verdict(verdict)
        if result.reason:
            self._print_field("note", result.reason)

    def _print_verdict(self, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.PASSED:
            return
        self._print((f"  {verdict.check}:", "bold"), f" {self._line(str(verdict.location))}")
        for label, text in (("expected", verdict.expected), ("found", verdict.found), ("reason", verdict.reason)):
            if text:
                self._print_field(label, text, indent=4)

    def _print_field(self, label: str, text: str, *, indent: int = 2, width: int = _LABEL_WIDTH) -> None:
        """A label and a text; further lines of the text are indented below its first."""
        shortened = text if len(text) <= ANSWER_CHARACTERS else f"{text[:ANSWER_CHARACTERS]} … (shortened)"
        first, *rest = terminal(self._redactor.clean(shortened)).splitlines() or [""]
        self._print(" " * indent, (f"{label:{width}}", "dim"), first)
        for line in rest:
            self._print(f"{' ' * (indent + width)}{line}")

    def _line(self, text: str) -> str:
        return terminal_line(self._redactor.clean(text))

    def _print(self, *parts: str | tuple[str, str]) -> None:
        """One line from plain parts and (text, style) pairs; never wrapped, so that it can be copied and searched."""
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def _show_progress(self) -> None:
        if not self._console.is_terminal:
            return
        names = ", ".join(map(self._line, self._running[:4])) + (", …" if len(self._running) > 4 else "")
        text = Text(f"{self._finished}/{self._planned} {names}", no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = self._console.status(text)
            self._live.start()
        self._live.update(text)

    def _clear_progress(self) -> None:
        if self._live is not None:
            self._live.stop()


def _summarise(report: Report) -> list[str | tuple[str, str]]:
    """The last line: how many of each outcome, how long."""
    parts: list[str | tuple[str, str]] = []
    for outcome in (Outcome.FAILED, Outcome.ERRORED, Outcome.FLAKY, Outcome.PASSED, Outcome.SKIPPED):
        if count := report.count(outcome):
            parts += [(f"{count} {outcome.value}", _STYLES[outcome]), ", "]
    if cut_off := report.planned - len(report.results):
        parts += [f"{cut_off} cut off", ", "]
    parts[-1:] = [" in " if parts else "nothing played in ", f"{report.duration_s:.2f} s"]
    return [*parts, " (interrupted)"] if report.signal is not None else parts


def describe_target(target: str, api: str, inference: str | None, sandbox: str | None) -> str:
    """One line that says what answered; offline rules are never taken for a model, nor a sandbox for the usual one."""
    answered_by = {None: "", "offline": " · answered by offline rules, not a language model"}
    runs_in = "" if sandbox in (None, SandboxName.MONTY.value) else f" · code runs in the sandbox {sandbox}"
    return f"target {target} · {api} api{answered_by.get(inference, f' · answered by {inference}')}{runs_in}"


def _answer_of(turn: TurnResult) -> str:
    if turn.run is None or not (turn.run.text or turn.run.refusal):
        return f"({turn.reason or 'no answer'})"
    tools = list(
        dict.fromkeys(step.title if step.completed else f"{step.title} (not completed)" for step in turn.run.steps)
    )
    return (turn.run.text or turn.run.refusal or "") + (f"  [{', '.join(tools)}]" if tools else "")
