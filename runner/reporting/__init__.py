"""Reports: one file per kind; the file's name is what users write in `--report NAME[=FILE]`.

A report's module has `DEFAULT_NAME`, the file that it is written to where none is named, and `render(report)`, the text
of the file in pieces. `console.py` is the one on the screen, and has neither. What `render` gets is without secrets
already; it puts every text through the function of `escaping` for its output. A file has MARK near its beginning: it
says what may be replaced by the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from json import dumps, loads  # `json` is the plug-in here, once it is loaded
from pathlib import Path
from typing import Protocol

from runner.did_you_mean import count
from runner.domain.report import Judging, PlayEvent, PlayFinished, Report, Results, ScenarioResult, Tally
from runner.domain.result_json import result_as_json, result_from_json
from runner.errors import UsageError
from runner.plugins import load_plugin, plugin_names
from runner.prices import show_usd
from runner.redaction import Redactor
from runner.whole_file import write_whole

MARK = "assistant-runner report"
_HEAD_BYTES = 512


class Reporter(Protocol):
    """Is told everything that happens, in order; a file is written when the play has finished.

    Raises WriteFailed if the file can't be written.
    """

    def on_event(self, event: PlayEvent) -> None: ...


def report_kinds() -> tuple[str, ...]:
    """The kinds that go into a file."""
    return tuple(name for name in plugin_names(__name__) if name != "console")


def default_name(kind: str) -> str:
    name: str = load_plugin(__name__, kind).DEFAULT_NAME
    return name


def report_schema() -> str:
    """The JSON Schema of the JSON report."""
    return (Path(__file__).parent / "report.schema.json").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class FileReport:
    """A report of this kind, written when the play has finished, interrupted plays included."""

    kind: str
    path: Path
    redactor: Redactor

    def on_event(self, event: PlayEvent) -> None:
        if isinstance(event, PlayFinished):
            write_report(self.kind, self.path, event.report, self.redactor)


def write_report(kind: str, path: Path, report: Report, redactor: Redactor) -> None:
    """Render the report as this kind, without secrets. Raises WriteFailed."""
    parts = load_plugin(__name__, kind).render(without_secrets(report, redactor))
    write_whole(path, parts, what="the report")


def without_secrets(report: Report, redactor: Redactor) -> Report:
    """The same report; its results are cleaned one at a time, when somebody asks for them."""
    return replace(
        report,
        results=_CleanResults(report.results, redactor),
        leftovers=tuple(map(redactor.clean, report.leftovers)),
        comparison=tuple(map(redactor.clean, report.comparison)),
        stopped=redactor.clean(report.stopped),
        known_tallies=report.tallies,
        definitions=loads(redactor.clean(dumps(report.definitions))),
    )


def describe_judging(used: Judging) -> list[str]:
    """A line on what the judge was asked, and used; none if it was asked nothing."""
    if not used.requests:
        return []
    unknown = f"; {count(used.uncounted, 'request')} did not say" if used.uncounted else ""
    unpriced = f" + {count(used.unpriced, 'request')} without a known price" if used.unpriced else ""
    cost = "cost unknown" if used.unpriced == used.requests else f"${show_usd(used.cost_usd)}{unpriced}"
    tokens = f"{used.total_tokens:,} tokens ({used.input_tokens:,} in, {used.output_tokens:,} out{unknown})"
    return [f"judge: {count(used.requests, 'request')} · {tokens} · {cost}"]


def describe_weak(tally: Tally) -> list[str]:
    """A line on passes that prove little, one on passes although a call broke; none if there are none."""
    told = [f"{times} by `{check}`" for check, times in tally.weak.most_common()]
    broke = [f"{times} by {title}" for title, times in tally.broken_calls.most_common()]
    lines = {"weak passes, which prove little": told, "passes although a call broke": broke}
    return [f"{what}: {', '.join(parts)}" for what, parts in lines.items() if parts]


@dataclass(frozen=True, slots=True)
class _CleanResults:
    results: Results
    redactor: Redactor

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ScenarioResult]:
        for result in self.results:
            text = dumps(result_as_json(result))
            cleaned = self.redactor.clean(text)
            # Reading it again takes longer than looking.
            yield result if cleaned == text else result_from_json(loads(cleaned))


def name_uniquely(report: Report) -> Iterator[tuple[str, ScenarioResult]]:
    """Each result with a name that no other has, and that is the same in the next play."""
    shows_variants = len(report.variants) > 1
    taken: set[str] = set()
    for result in report.results:
        on = f" on {result.variant.label}" if shows_variants and result.variant else ""
        name = base = f"{result.scenario.name}{on}"
        number = 2
        while name in taken:
            name, number = f"{base} ({number})", number + 1
        taken.add(name)
        yield name, result


def discard_earlier(paths: Iterable[Path]) -> None:
    """Remove earlier reports, which could be taken for those of a play that then doesn't come to its end.

    What is no report is left alone; so is what can't be read or removed.
    """
    for path in paths:
        with suppress(OSError):
            if path.is_file() and MARK.encode() in _read_head(path):
                path.unlink()


def refuse_to_overwrite(paths: Iterable[Path], inputs: Collection[Path]) -> None:
    """Raises UsageError for a report that would replace anything but an earlier report.

    `inputs` are the real paths of files that the play reads: never a report's place, whatever they look like.
    """
    taken: set[Path] = set()
    for path in paths:
        real = path.resolve()
        if real in inputs:
            raise UsageError(f"--report would overwrite {path}, which is played; name another file")
        if real in taken:
            raise UsageError(f"--report names {path} twice; give each report a file of its own")
        if path.is_dir():
            raise UsageError(f"--report can't write {path}: it is a folder; name a file in it")
        taken.add(real)
        with suppress(OSError):
            if path.is_file() and (head := _read_head(path)) and MARK.encode() not in head:
                message = f"--report would overwrite {path}, which is no report of runner; name another file"
                raise UsageError(f"{message}, or remove this one")


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)
