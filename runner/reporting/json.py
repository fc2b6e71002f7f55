"""The JSON report: everything about one play, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from runner.domain.conversation import Run, Step
from runner.domain.report import PlayEvent, PlayFinished, Report, ScenarioResult, TurnResult, Verdict
from runner.redaction import Redactor
from runner.reporting import MARK
from runner.whole_file import write_whole

VERSION = 2
"""Goes up when a key changes its meaning or goes away; new keys may come at any time."""


def open_report(path: Path, redactor: Redactor) -> JsonReport:
    return JsonReport(path, redactor)


class JsonReport:
    """Written when the play has finished, interrupted plays included."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._path = path
        self._redactor = redactor

    def on_event(self, event: PlayEvent) -> None:
        if isinstance(event, PlayFinished):
            # ASCII only: lone surrogates and controls are escaped, so that any reader takes the file.
            text = json.dumps(report_as_json(event.report), indent=2, ensure_ascii=True, allow_nan=False)
            write_whole(self._path, self._redactor.clean(text) + "\n", what="the report")


def report_as_json(report: Report) -> dict[str, object]:
    return {
        "generator": MARK,
        "version": VERSION,
        "target": report.target,
        "api": report.api,
        "inference": report.inference,
        "sandbox": report.sandbox,
        "exit_code": report.exit_code,
        "signal": report.signal,
        "duration_s": round(report.duration_s, 3),
        "planned": report.planned,
        "counts": dict(report.counts),
        "cut_off": report.cut_off,
        "leftovers": list(report.leftovers),
        "scenarios": [_scenario(result, report) for result in report.results],
    }


def _scenario(result: ScenarioResult, report: Report) -> dict[str, object]:
    scenario = result.scenario
    return {
        "name": scenario.name,
        "location": str(scenario.location),
        "assistant": scenario.assistant,
        "definition": report.definitions.get(scenario.assistant),
        "tags": list(scenario.tags),
        "outcome": result.outcome.value,
        "counted_as": result.counted_as,
        "reason": result.reason,
        "duration_s": round(result.duration_s, 3),
        "retried": [asdict(retry) for retry in result.retried],
        "turns": [_turn(turn) for turn in result.turns],
    }


def _turn(result: TurnResult) -> dict[str, object]:
    return {
        "ask": result.turn.ask,
        "location": str(result.turn.location),
        "attachments": [file.name for file in result.turn.attachments],
        "outcome": result.outcome.value,
        "reason": result.reason,
        "verdicts": [_verdict(verdict) for verdict in result.verdicts],
        "run": _run(result.run) if result.run else None,
    }


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {
        "check": verdict.check,
        "location": str(verdict.location),
        "outcome": verdict.outcome.value,
        "expected": verdict.expected,
        "found": verdict.found,
        "reason": verdict.reason,
        "weak": verdict.weak,
    }


def _run(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "thread_id": run.thread_id,
        "status": run.status.value,
        "ending": run.ending.value,
        "model": run.model,
        "answer": run.text,
        "raw_answer": run.raw_text,
        "citations": [
            {"position": one.position, "file_id": one.file_id, "filename": one.filename, "quote": one.quote}
            for one in run.citations
        ],
        "refusal": run.refusal,
        "declined": run.declined,
        "steps": [_step(step) for step in run.steps],
        "files": [asdict(file) for file in run.files],
        "usage": asdict(run.usage) if run.usage else None,
        "error": run.error,
        "error_code": run.error_code,
        "duration_s": round(run.duration_s, 3),
    }


def _step(step: Step) -> dict[str, object]:
    return {
        "tool": step.tool,
        **({"label": step.label} if step.label else {}),
        "completed": step.completed,
        "input": step.input,
        "output": step.output,
        "results": [
            {"file_id": one.file_id, "filename": one.filename, "score": one.score, "text": one.text}
            for one in step.results
        ],
    }
