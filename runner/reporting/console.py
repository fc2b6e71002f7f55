"""The report on the screen: each scenario as it ends, what did not pass once more at the end, then the counts."""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from runner.did_you_mean import count
from runner.domain.assistant import SandboxName
from runner.domain.conversation import Run, Step
from runner.domain.report import (
    COUNTED,
    DECLINED,
    NO_MODEL,
    NOT_RECORDED,
    NOT_STARTED,
    OFFLINE,
    BatchSeen,
    Outcome,
    PlayEvent,
    PlayFinished,
    PlayStarted,
    Report,
    Retry,
    ScenarioFinished,
    ScenarioResult,
    ScenarioStarted,
    Tally,
    TurnFinished,
    TurnResult,
    TurnStarted,
    Variant,
    Verdict,
)
from runner.domain.statistics import wilson_interval
from runner.escaping import pad, terminal, terminal_line, terminal_width
from runner.prices import NOT_INCLUDED, price_source, show_usd
from runner.redaction import Redactor
from runner.reporting import describe_judging, describe_weak
from runner.reporting._failure import answer_of

if TYPE_CHECKING:
    from rich.live import Live

Parts = Iterable[str | tuple[str, str]]
"""A line in pieces: plain text, or (text, style)."""
_NARROWEST = 20
_USUAL_WIDTH = 80

_STYLES = {
    "passed": "green",
    "failed": "bold red",
    "errored": "bold yellow",
    DECLINED: "yellow",
    "flaky": "yellow",
    "skipped": "dim",
    NOT_STARTED: "dim",
}
_IN_FULL = frozenset({"failed", "errored"})
ANSWER_CHARACTERS = 2_000
"""Longer answers are cut on the screen; the JSON report has them whole."""
_LABEL_WIDTH = 10
_WORD_WIDTH = 9
_NAMES_SHOWN = 4
_DIFFERENCES_SHOWN = 20
_LONGEST_NAME = 40
_A_SCREEN = 20
"""Lines of others, after which a failure is out of sight."""
_LONGEST_INPUT = 100
_LONGEST_PART = 160
"""Characters of what a call gave back, or of a reason that stands in a line; its input is shorter."""
_CALLS_SHOWN = 8


class Console:
    """Prints to `stream`. `is_quiet` leaves out the scenarios that passed, `is_verbose` shows their turns too.

    `reports` are kinds and places of the files that are written before the end; `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        redactor: Redactor,
        *,
        is_quiet: bool = False,
        is_verbose: bool = False,
        reports: Iterable[tuple[str, Path]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = open_screen(stream)
        self._redactor = redactor
        self._is_quiet = is_quiet
        self._is_verbose = is_verbose
        self._reports = tuple(reports)
        self._clock = clock
        self._started_s = clock()
        self._planned = 0
        self._shows_variants = False
        self._running: dict[tuple[str, str], str] = {}
        self._batches: dict[str, BatchSeen] = {}
        self._counts: Counter[str] = Counter()
        self._spent = Tally()
        self._shown_in_full = 0
        self._misses: dict[str, str] = {}
        self._others_since = 0

    def close(self) -> None:
        """Give the terminal back, also where a play broke off."""
        self._screen.close_status()

    def on_event(self, event: PlayEvent) -> None:
        match event:
            case PlayStarted():
                self._start(event)
            case BatchSeen():
                self._note_batch(event)
            case ScenarioStarted(scenario=scenario, variant=variant):
                self._running[scenario.name, variant.label] = ""
            case TurnStarted(scenario=scenario, variant=variant, number=number) if len(scenario.turns) > 1:
                self._running[scenario.name, variant.label] = f" {number}/{len(scenario.turns)}"
            case TurnStarted():
                pass
            case TurnFinished(result=turn):
                self._spent.add_turn(turn)
            case ScenarioFinished(result=result):
                self._running.pop((result.scenario.name, result.variant.label if result.variant else ""), None)
                self._counts[result.counted_as] += 1
                self._print_result(result)
            case PlayFinished(report=report):
                self._finish(report)

    def _start(self, event: PlayStarted) -> None:
        self._planned = event.planned
        self._started_s = self._clock()
        self._shows_variants = len(event.variants) > 1
        for variant in event.variants:
            self._print(self._line(describe_variant(variant)))
        for note in event.notes:
            self._print(self._line(note))
        if not self._is_quiet:
            self._print()
        self._screen.keep_status(self._describe_progress)

    def _note_batch(self, batch: BatchSeen) -> None:
        """A line whenever it is in another state, and how far it is in the one at the bottom."""
        seen = self._batches.get(batch.batch_id)
        self._batches[batch.batch_id] = batch
        if not self._is_quiet and (seen is None or seen.status != batch.status):
            self._print(self._line(_describe_batch(batch)))

    def _print_result(self, result: ScenarioResult) -> None:
        if result.outcome is Outcome.PASSED and self._is_quiet:
            return
        if result.counted_as in _IN_FULL:
            self._print_failure(result)
            self._shown_in_full += 1
            return
        self._print_heading(result)
        self._others_since += self._shown_in_full > 0
        if self._is_verbose:
            for turn in result.turns:
                self._print_field("?", turn.turn.ask, width=2)
                self._print_field("=", _answer_of(turn), width=2)
                self._print_printed(turn.run.steps if turn.run else ())

    def _finish(self, report: Report) -> None:
        self._screen.close_status()
        failures, reasons, declined = [], Counter[str](), 0
        all_passed = report.counts["passed"] == len(report.results)
        for result in () if all_passed else report.results:  # at most once: they may have to be read from their file
            declined += result.is_decline
            if result.counted_as in _IN_FULL:
                failures.append(result)
            elif result.counted_as == NOT_STARTED:
                reasons[result.reason] += 1
        # What was shown a moment ago can still be seen.
        if failures and self._others_since > _A_SCREEN:
            self._print()
            self._print(("Once more, what did not pass:", "bold"))
            for result in failures:
                self._print()
                self._print_failure(result)
        self._print()
        self._print_names(failures)
        self._print_notes(report, reasons, declined)
        self._print_end(report)
        self._print(*_summarise(report))
        if report.comparison:
            self._print()
        for line in report.comparison:
            self._print(self._line(line))

    def _print_end(self, report: Report) -> None:
        """Where the reports are, what it took, and how to go on."""
        for kind, path in self._reports:
            if path.exists():
                self._print(self._line(f"{kind} report: {path}"))
        if len(report.variants) > 1:
            self._print_comparison(report)
        for line in _describe_use(report):
            self._print(self._line(line))
        if report.stopped:
            self._print(self._line(f"stopped: {report.stopped}"))
        if report.play_id and report.can_go_on and (report.cut_off or report.counts[NOT_STARTED]):
            self._print(f"`runner play --resume {report.play_id}` plays what is missing")

    def _print_names(self, failures: list[ScenarioResult]) -> None:
        """A line for each, with a place that can be pasted behind `runner play`."""
        width = min(_LONGEST_NAME, max((terminal_width(self._line(self._name(one))) for one in failures), default=0))
        for result in failures:
            where = self._line(shlex.quote(result.scenario.playable_place))
            self._print(f"{pad(self._line(self._name(result)), width)}  ", (where, "dim"), before=(_word(result),))
        if failures:
            self._print()

    def _print_notes(self, report: Report, reasons: Mapping[str, int], declined: int) -> None:
        """Once for all scenarios: why some were not played, or not judged, and what is left on the remote side."""
        if declined:
            self._print((f"{declined} {DECLINED}", _STYLES[DECLINED]), f": {NO_MODEL}")
        for reason, times in reasons.items():
            self._print(f"{times} {self._line(reason)}")
        definitions = sorted(report.tally.definitions.items()) if self._is_verbose else ()
        for (address, label), definition in definitions:
            where = f" on {label}" if self._shows_variants else ""
            self._print(self._line(f"{address}{where} as defined by {definition}"))
        for leftover, times in Counter(report.leftovers).items():
            count = f" ({times} times)" if times > 1 else ""
            self._print(f"{self._line(leftover)}{count}", before=(("left behind", "yellow"), "  "))
        if declined or reasons or report.leftovers or definitions:
            self._print()

    def _print_comparison(self, report: Report) -> None:
        """What passes on one variant and not on another, then a line of figures for each."""
        words: dict[str, dict[str, str]] = {}
        for result in report.results:
            label = result.variant.label if result.variant else ""
            words.setdefault(result.scenario.name, {})[label] = result.counted_as
        differing = {name: found for name, found in words.items() if len(set(found.values())) > 1}
        for name, found in list(differing.items())[:_DIFFERENCES_SHOWN]:
            by_word: dict[str, list[str]] = {}
            for label, word in found.items():
                by_word.setdefault(word, []).append(label)
            said = "; ".join(f"{word} on {', '.join(labels)}" for word, labels in by_word.items())
            self._print(self._line(f"{name}: {said}"))
        if len(differing) > _DIFFERENCES_SHOWN:
            self._print(f"and {len(differing) - _DIFFERENCES_SHOWN} more that differ; the JSON report has them all")
        if differing:
            self._print()
        rows = [_COMPARED, *(_compare(label, tally) for label, tally in report.tally_by_variant.items())]
        widths = [max(terminal_width(self._line(row[column])) for row in rows) for column in range(len(_COMPARED))]
        for number, row in enumerate(rows):
            first, *rest = (self._line(cell) for cell in row)
            cells = [
                pad(first, widths[0]),
                *(f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)),
            ]
            self._print(("  ".join(cells), "" if number else "dim"))
        self._print()

    def _print_heading(self, result: ScenarioResult) -> None:
        parts: list[str | tuple[str, str]] = [f"{self._line(self._name(result))}  "]
        parts.append((f"{result.duration_s:.2f} s" if result.is_timed else "time not measured", "dim"))
        parts += [(f" · {self._line(remark)}", "dim") for remark in _remarks(result)]
        self._print(*parts, before=(_word(result),))

    def _name(self, result: ScenarioResult) -> str:
        on = f" on {result.variant.label}" if self._shows_variants and result.variant else ""
        return f"{result.scenario.name}{on}"

    def _print_failure(self, result: ScenarioResult) -> None:
        self._print_heading(result)
        if row := result.scenario.row:
            self._print(f"row {self._line(str(row))}", before=("  ",))
        for number, turn in enumerate(result.turns, start=1):
            if turn.outcome is Outcome.PASSED:
                continue
            which = f", turn {number}" if len(result.scenario.turns) > 1 else ""
            self._print(f"{self._line(str(turn.turn.location))}{which}", before=("  ",))
            self._print_field("question", turn.turn.ask)
            if turn.run is not None:
                self._print_field("answer", answer_of(turn) or "(none)")
                if turn.run.steps:
                    self._print_field("tools", "\n".join(_describe_calls(turn.run)))
                    self._print_printed(turn.run.steps)
            if turn.reason:
                self._print_field("reason", self._shorten_miss(turn.reason, result))
            for verdict in turn.verdicts:
                self._print_verdict(verdict)
        for verdict in result.shown.verdicts if result.shown else ():
            self._print_verdict(verdict)
        if result.reason:
            self._print_field("note", result.reason)

    def _print_printed(self, steps: Iterable[Step]) -> None:
        """What functions of the project's own printed, with their tracebacks; else how to see them."""
        told = [step for step in steps if step.printed]
        if self._is_verbose:
            for step in told:
                self._print_field("printed", f"by {step.title}:\n{step.printed[-ANSWER_CHARACTERS:]}")
        elif broken := [step.title for step in told if not step.completed]:
            self._print_field("printed", f"-v shows what {', '.join(dict.fromkeys(broken))} printed, and the traceback")

    def _shorten_miss(self, reason: str, result: ScenarioResult) -> str:
        """A definition that changed is the same difference for all: told whole with the first of them."""
        said, _, difference = reason.partition(", but ")
        if not (difference and reason.startswith(NOT_RECORDED)):
            return reason
        first = self._misses.setdefault(difference, result.scenario.name)
        return reason if first == result.scenario.name else f"{said}, but differs as for '{first}'"

    def _print_verdict(self, verdict: Verdict) -> None:
        if verdict.outcome in (Outcome.PASSED, Outcome.SKIPPED):
            return
        self._print((f"{verdict.check}:", "bold"), f" {self._line(str(verdict.location))}", before=("  ",))
        for label, text in (("expected", verdict.expected), ("found", verdict.found), ("reason", verdict.reason)):
            if text:
                self._print_field(label, text, indent=4)
        if self._is_verbose and (printed := verdict.details.get("printed")):
            self._print_field("printed", f"by it:\n{str(printed)[-ANSWER_CHARACTERS:]}", indent=4)

    def _print_field(self, label: str, text: str, *, indent: int = 2, width: int = _LABEL_WIDTH) -> None:
        """A label and a text; further lines of the text are indented below its first."""
        shortened = text if len(text) <= ANSWER_CHARACTERS else f"{text[:ANSWER_CHARACTERS]} … (shortened)"
        first, *rest = terminal(self._redactor.clean(shortened)).splitlines() or [""]
        self._print(first, before=(" " * indent, (f"{label:{width}}", "dim")))
        for line in rest:
            self._print(line, before=(" " * (indent + width),))

    def _line(self, text: str) -> str:
        return terminal_line(self._redactor.clean(text))

    def _print(self, *parts: str | tuple[str, str], before: Parts = ()) -> None:
        self._screen.print(before, parts)

    def _describe_progress(self) -> Parts:
        """What the line at the bottom says now."""
        done = sum(self._counts.values())
        parts: list[str | tuple[str, str]] = [f"{done}/{self._planned}"]
        for word in COUNTED:
            if count := self._counts[word]:
                parts += [" · ", (f"{count} {word}", _STYLES[word])]
        # Those in a later turn first: they are what one waits for, and the end of the line may be cut.
        running = sorted(self._running.items(), key=lambda one: not one[1])
        names = [f"{self._line(name)}{turn}" for (name, _), turn in running[:_NAMES_SHOWN]]
        more = ", …" if len(self._running) > _NAMES_SHOWN else ""
        names += [self._line(_describe_batch(one)) for one in self._batches.values() if not one.is_over]
        minutes, seconds = divmod(int(self._clock() - self._started_s), 60)
        dollars = self._spent.cost_usd + self._spent.judging.cost_usd
        if dollars:
            parts.append(f" · ${show_usd(dollars)}")
        elif tokens := self._spent.total_tokens + self._spent.judging.total_tokens:
            parts.append(f" · {tokens:,} tokens")
        return (*parts, f" · {minutes}:{seconds:02} · ", (", ".join(names) + more, "dim"))


def _describe_batch(batch: BatchSeen) -> str:
    return f"batch {batch.batch_id} is {batch.status}: {batch.done} of {count(batch.total, 'question')} done"


def _word(result: ScenarioResult) -> tuple[str, str]:
    word = result.counted_as.upper().replace("_", " ")
    return f"{word:{_WORD_WIDTH - 1}} ", _STYLES[result.counted_as]


def _remarks(result: ScenarioResult) -> list[str]:
    """What is to be known of a scenario beside its outcome."""
    remarks = [result.scenario.skip] if result.scenario.skip else []
    if result.scenario.repeat > 1 and not result.scenario.skip:
        remarks.append(describe_attempts(result))
    remarks += [_describe_retry(retry, times) for retry, times in _count_retries(result.retried).items()]
    if result.is_decline:
        remarks += [f"turn {len(result.turns)}"] if len(result.scenario.turns) > 1 else []
        why = _cut(next(turn.reason for turn in result.turns if turn.is_decline))
        remarks.append(why if result.outcome is Outcome.SKIPPED else why.removeprefix(f"{DECLINED}: "))
    elif result.variant and result.variant.inference != OFFLINE:
        by_rules = [turn.run is not None and result.variant.is_by_rules(turn.run) for turn in result.turns]
        remarks += ["by offline rules" if all(by_rules) else "in part by offline rules"] if any(by_rules) else []
    remarks += [f"{title} broke" for title in result.broken_calls]
    return remarks + [f"weak pass of `{check}`" for check in result.weak_checks]


def _count_retries(retried: Iterable[Retry]) -> Counter[Retry]:
    """How often for each reason, in the order in which they came up."""
    counted = Counter[Retry]()
    for retry in retried:
        counted[replace(retry, times=1)] += retry.times
    return counted


def _describe_retry(retry: Retry, times: int) -> str:
    often = f" {times} times" if times > 1 else ""
    if retry.of_request:
        return f"sent again{often}: {retry.reason}"
    return f"played again{often} after {retry.code}" + (f": {retry.reason}" if retry.reason else "")


_COMPARED = ("", "passed", "rate", "tokens", "cost", "p50", "p95")


def _compare(label: str, tally: Tally) -> tuple[str, ...]:
    """A variant's row under _COMPARED; what is not known is a question mark."""
    low, high = wilson_interval(tally.passes, tally.attempts)
    scenarios = sum(tally.counts.values())
    tokens = f"{tally.total_tokens:,}" + " + ?" * bool(tally.uncounted_runs)
    cost = f"${show_usd(tally.cost_usd)}" + " + ?" * bool(tally.unpriced_runs)
    p50, p95 = (f"{seconds:.1f} s" if seconds is not None else "" for seconds in map(tally.quantile_s, (0.5, 0.95)))
    rate = f"{low:.2f} to {high:.2f}" if tally.attempts else ""
    return label, f"{tally.counts['passed']} of {scenarios}", rate, tokens, cost, p50, p95


def _describe_use(report: Report) -> list[str]:
    """What was used, and how sure the rate is where something was repeated."""
    tally = report.tally
    lines = []
    if tally.runs and any(variant.inference != OFFLINE for variant in report.variants):
        unknown = f"; {count(tally.uncounted_runs, 'run')} did not say" if tally.uncounted_runs else ""
        used = f"{tally.total_tokens:,} tokens ({tally.input_tokens:,} in, {tally.output_tokens:,} out{unknown})"
        used += report.estimate
        if tally.unpriced_runs < tally.runs:
            unpriced = f", {count(tally.unpriced_runs, 'run')} without a known price" if tally.unpriced_runs else ""
            tier = f", the list price and not that of --tier {report.tier}" if report.tier else ""
            used += f" · ${show_usd(tally.cost_usd)} by {price_source()}{tier}, {NOT_INCLUDED}{unpriced}"
        else:
            used += " · cost unknown"
        lines.append(used)
    lines += [*describe_judging(tally.judging), *describe_weak(tally)]
    hat = tally.pass_hat()
    if hat:
        low, high = wilson_interval(tally.passes, tally.attempts)
        rate = tally.passes / tally.attempts if tally.attempts else 0.0
        lines.append(
            f"pass rate {rate:.2f} ({low:.2f} to {high:.2f}) over {count(tally.attempts, 'attempt')}; "
            f"pass^{hat[0]} {hat[1]:.2f}"
        )
    return lines


def describe_attempts(result: ScenarioResult) -> str:
    """How often it passed, and between what the true rate lies."""
    low, high = wilson_interval(result.passes, result.judged)
    needed = f"{result.scenario.passes_needed} of {result.scenario.repeat} needed"
    errors = len(result.attempts) - result.judged
    unjudged = f", {errors} without a verdict" if errors else ""
    return f"passed {result.passes} of {result.judged}, {needed}{unjudged} (rate {low:.2f} to {high:.2f})"


def _summarise(report: Report) -> Parts:
    """The last line: how many of each, how long."""
    counted = [(f"{count} {word.replace('_', ' ')}", _STYLES[word]) for word, count in report.counts.items() if count]
    if report.cut_off:
        counted.insert(len(counted) - bool(report.counts[NOT_STARTED]), (f"{report.cut_off} cut off", "yellow"))
    parts: list[str | tuple[str, str]] = []
    for one in counted:
        parts += [", ", one] if parts else [one]
    parts += [" in " if parts else "nothing played in ", f"{report.duration_s:.2f} s"]
    return (*parts, " (interrupted)") if report.signal is not None else tuple(parts)


def describe_variant(variant: Variant) -> str:
    """One line that says what answered; offline rules are never taken for a model, nor a sandbox for the usual one."""
    rules = "offline rules, not a language model"
    answered_by = {
        None: "",
        OFFLINE: f" · answered by {rules}",
        f"scripted+{OFFLINE}": f" · answered by scripted, and what no script is for by {rules}",
    }
    model = f" · model {variant.model}" if variant.model else ""
    answers = answered_by.get(variant.inference, f" · answered by {variant.inference}")
    is_usual = variant.sandbox in (None, SandboxName.MONTY.value)
    runs_in = "" if is_usual else f" · code runs in the sandbox {variant.sandbox}"
    return f"target {variant.target} · {variant.api} api{model}{answers}{runs_in}"


def _tools_of(run: Run) -> list[str]:
    """The tools that were called, each once, in the order of their first calls."""
    return list(dict.fromkeys(step.title if step.completed else f"{step.title} (not completed)" for step in run.steps))


def _describe_calls(run: Run) -> Iterator[str]:
    """A line for each of the first calls: what it was called with, and what came of it."""
    for step in run.steps[:_CALLS_SHOWN]:
        given = f" {_cut(step.input, _LONGEST_INPUT)}" if step.input.strip(" {}") else ""
        found = ", ".join(dict.fromkeys(one.filename for one in step.results))
        broken = "" if step.completed else "not completed: " if step.output else "not completed"
        came = f"{broken}{_cut(found or step.output)}"
        yield f"{step.title}{given}" + (f" → {came}" if came else "")
    if (more := len(run.steps) - _CALLS_SHOWN) > 0:
        yield f"and {count(more, 'further call')}"


def _cut(text: str, limit: int = _LONGEST_PART) -> str:
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _answer_of(turn: TurnResult) -> str:
    said = answer_of(turn)
    if turn.run is None or not said:
        return f"({turn.reason or 'no answer'})"
    tools = _tools_of(turn.run)
    return said + (f"  [{', '.join(tools)}]" if tools else "")


class Screen(Protocol):
    """Where the console prints: a terminal, with wrapped words and a line at the bottom, or plain lines."""

    def print(self, before: Parts, parts: Parts) -> None:
        """One line; `before` stands at its beginning, and what has to be wrapped is indented by its width."""

    def keep_status(self, describe: Callable[[], Parts]) -> None:
        """Show, until `close_status`, a line at the bottom that says what `describe` says at the moment."""

    def close_status(self) -> None: ...


def open_screen(stream: TextIO) -> Screen:
    """Colours for a terminal, or where FORCE_COLOR wants them; without, rich isn't needed: it takes long to import."""
    return _Painted(stream) if stream.isatty() or os.environ.get("FORCE_COLOR") else _Plain(stream)


class _Plain:
    """Lines are never wrapped, so that they can be copied and searched."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def print(self, before: Parts, parts: Parts) -> None:
        line = "".join(part if isinstance(part, str) else part[0] for part in (*before, *parts))
        self._stream.write(f"{line.rstrip()}\n")
        self._stream.flush()

    def keep_status(self, describe: Callable[[], Parts]) -> None:
        """A line that comes and goes is for terminals."""

    def close_status(self) -> None:
        """There was none."""


class _Painted:
    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        # A width that is no width (COLUMNS=0) would leave nothing to be seen.
        columns = os.environ.get("COLUMNS", "")
        width = _USUAL_WIDTH if columns.isdecimal() and int(columns) < _NARROWEST else None
        self._rich = Console(file=stream, highlight=False, markup=False, emoji=False, width=width)
        self._is_terminal = stream.isatty()
        self._live: Live | None = None

    def print(self, before: Parts, parts: Parts) -> None:
        from rich.text import Text

        label, text = Text.assemble(*before), Text.assemble(*parts)
        if not self._is_terminal:
            self._rich.print(label + text, soft_wrap=True)
            return
        width = max(_NARROWEST, self._rich.width - label.cell_len)
        for line in text.wrap(self._rich, width) or [text]:
            self._rich.print(label + line, soft_wrap=True)
            label = Text(" " * label.cell_len)

    def keep_status(self, describe: Callable[[], Parts]) -> None:
        from rich.live import Live
        from rich.text import Text

        def draw() -> Text:
            return Text.assemble(*describe(), no_wrap=True, overflow="ellipsis")

        if self._is_terminal:
            self._live = Live(console=self._rich, get_renderable=draw, transient=True, refresh_per_second=8)
            self._live.start()

    def close_status(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
