"""The folders of plays under `.runner/plays`: which there are, what each was to play, and what has changed since."""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO, Any

from runner.cli._revision import read_file_at
from runner.cli._session import Session, find_root
from runner.config import Configuration
from runner.config.paths import find_similar_path
from runner.did_you_mean import count
from runner.domain.assistant import Assistant, Project, Scripted, Target, describe_whole, hash_definition
from runner.domain.files import LocalFile
from runner.domain.report import Outcome, Report, Variant
from runner.domain.scenario import Scenario, hash_means, hash_scenario, hash_told
from runner.errors import GateClosed, NothingFound, UsageError, WriteFailed
from runner.execution.judging import needs_judge
from runner.execution.play import Lane, Work
from runner.functions.python import find_code_files, find_modules
from runner.journal import PLAY_JOURNALS, PLAYS_KEPT, find_journals, lock
from runner.kept_play import Kept, KeptPlay, Key, Unit, find_argument, read_head, read_play, report_of
from runner.sync import hash_content

LATEST, PREVIOUS = "latest", "previous"


def find_plays(folder: Path) -> list[Path]:
    """The folders of plays, the newest first."""
    return sorted((one for one in folder.glob("*") if (one / "results.jsonl").is_file()), reverse=True)


def find_play(folder: Path, play_id: str, *, kind: str = "play", is_own: bool = False) -> Path:
    """The folder of one play: by its id, LATEST or PREVIOUS. Raises UsageError, or NothingFound where there is none.

    With `is_own`, LATEST is none that was judged anew: its answers are another's, and maybe not all of them.
    """
    plays = find_plays(folder)
    if is_own and play_id == LATEST:
        plays = list(islice((one for one in plays if "judged" not in read_head(one)), 1))
    if not plays:
        nor = "" if play_id == LATEST or kind == "play" else f", and there is no file {play_id!r}"
        raise NothingFound(f"no play is kept under .runner/plays{nor}")
    if play_id == LATEST:
        return plays[0]
    if play_id == PREVIOUS:
        if len(plays) == 1:
            raise NothingFound("no play is kept under .runner/plays but the latest")
        return plays[1]
    known = {play.name: play for play in plays}
    if play_id not in known:
        # No other id is offered: all look alike, and each is another play.
        raise UsageError(
            f"there is no {kind} {play_id!r}; `runner plays` lists the newest {PLAYS_KEPT}, which are kept"
        )
    return known[play_id]


def read_whole(play: Path) -> Kept:
    """What a play left. Raises WriteFailed where a damaged line cost a result: what is left would look like all."""
    kept = read_play(play)
    has_all = "units" in kept.head and len(kept.results) == len(kept.head["units"])
    if kept.damaged and not has_all:
        first, *others = kept.damaged
        more = f" ({count(len(others), 'more line')} like it)" if others else ""
        raise WriteFailed(f"{first}{more}; without the line, its scenario is as if it was not played")
    return kept


def read_source(source: str, file: Path | None) -> Report:
    """A report of the past: a play as `find_play` takes it, a JSON report's file, or REF:PATH, one at a git ref.

    Raises UsageError, NothingFound or WriteFailed.
    """
    from runner.reporting.json import read

    path = Path(source)
    if path.is_file():
        return read(path.read_bytes(), name=source)
    ref, separator, inside = source.partition(":")
    if separator and inside:
        return read(read_file_at(ref, inside), name=source)
    if path.suffix or len(path.parts) > 1:
        similar = find_similar_path(source, Path.cwd())
        other = f", but there is {similar}" if similar else ""
        raise UsageError(
            f"there is no file {source}{other}; `runner play --report json={shlex.quote(source)}` makes one"
        )
    plays = find_root(file) / ".runner" / "plays"
    return report_of(read_whole(find_play(plays, source, kind="play and no file")))


def is_going_on(play: Path) -> bool:
    """Whether a process still works at it."""
    journals = f"{play.name}/{PLAY_JOURNALS.partition('/')[2]}"
    return not set(play.parent.glob(journals)) <= set(find_journals(play.parent, journals))


def claim(play: Path) -> IO[bytes]:
    """A play that is to go on, as an open file: as long as it stays open nobody else goes on with it.

    Raises UsageError if somebody is at it already.
    """
    file = (play / "results.jsonl").open("rb")
    if is_going_on(play) or not lock(file):
        file.close()
        raise UsageError(f"play {play.name} is still going on")
    return file


def _read_plays(folder: Path) -> Iterator[Kept]:
    """The plays that can be read, the newest first."""
    for play in find_plays(folder):
        with suppress(WriteFailed):
            yield read_play(play)


def find_failed(folder: Path) -> Mapping[str, bool]:
    """For each scenario of the kept plays whether it did not pass when it was played last."""
    failed: dict[str, bool] = {}
    for kept in _read_plays(folder):
        here: dict[str, bool] = {}
        for result in kept.results:
            if result.attempts:
                is_bad = result.outcome in (Outcome.FAILED, Outcome.ERRORED, Outcome.FLAKY)
                here[result.scenario.name] = here.get(result.scenario.name, False) or is_bad
        failed = here | failed
    return failed


def find_durations(folder: Path, names: Iterable[str]) -> Mapping[str, float]:
    """For each scenario how many seconds an attempt took when it was played last, as far as a kept play knows.

    A shard counts once all shards of its division were played: until then, those that follow would be divided anew.
    """
    durations_s: dict[str, float] = {}
    wanted = set(names)
    # What was judged anew has the times of the play that was judged.
    plays = [one for one in _read_plays(folder) if "judged" not in one.head]
    divided = Counter(_division(one) for one in plays)
    for kept in plays:
        parts = int(_division(kept).partition(" ")[0] or 1)
        if divided[_division(kept)] < parts:
            continue
        here: dict[str, float] = {}
        for result in kept.results:
            if result.attempts and result.scenario.name in wanted:
                taken = round(result.duration_s / len(result.attempts), 3)
                here[result.scenario.name] = max(taken, here.get(result.scenario.name, 0.0))
        durations_s = here | durations_s
        if wanted <= durations_s.keys():
            break
    return durations_s


def _division(kept: Kept) -> str:
    """What a shard is a part of: "3 of division ...", "" for a whole."""
    return find_argument(kept.head, "shard").partition("/")[2]


class Fingerprints:
    """What decides the results of scenarios, hashed; each file is read once. `replay` is where answers come from."""

    def __init__(self, replay: Path | None = None) -> None:
        self.recordings = sorted(one.resolve() for one in replay.rglob("*") if one.is_file()) if replay else []
        self._contents: dict[Path, str] = {}
        self._code_from = cache(find_modules)

    def unit(self, scenario: Scenario, variant: Variant, project: Project) -> Unit:
        assistant = project.find_assistant(scenario.assistant)
        assert assistant is not None, "the configuration has checked every scenario's assistant"
        target = self._describe_target(project.targets.get(variant.target))
        code = [self.hash_file(file) for one in find_code_files(project, [scenario]) for file in self._code_from(*one)]
        judge = self._describe_judge(scenario, project)
        answered = [target, *map(self.hash_file, self.recordings)]
        definition = f"{self.hash_assistant(assistant)}{answered}{[*code, *judge] if code or judge else ''}"
        told = {"code": code, f"target {variant.target}": target, "judge": judge}
        return Unit(
            scenario=scenario,
            variant=variant,
            fingerprint=hash_scenario(scenario, assistant, definition, self.hash_file),
            inputs=hash_means(scenario, assistant, self.hash_file)
            | {word: hash_told(one) for word, one in told.items() if one},
        )

    def _describe_judge(self, scenario: Scenario, project: Project) -> list[object]:
        """What its verdicts hang on, too; nothing where nobody is asked."""
        judge = project.judge if needs_judge([scenario]) else None
        if judge is None:
            return []
        target = self._describe_target(project.targets.get(judge.target))
        return [judge.target, judge.model, judge.uses_decisions, target]

    def _describe_target(self, target: Target | None) -> list[object]:
        """What answers there: a script and faults by their content."""
        if target is None:
            return []
        files = [self.hash_file(file) for file in target.files]
        inference = "" if isinstance(target.inference, Scripted) else target.inference
        kind = [target.api, target.server.value, target.base_url, target.sandbox.value, target.history.value]
        return [*kind, target.background, inference, *files]

    def hash_file(self, file: LocalFile | Path) -> str:
        path = file if isinstance(file, Path) else file.path
        if path not in self._contents:
            try:
                self._contents[path] = hash_content(path)
            except OSError:
                self._contents[path] = ""
        return self._contents[path]

    def hash_assistant(self, assistant: Assistant) -> str:
        return hash_definition(assistant, ((file, self.hash_file(file)) for file in assistant.files))

    def describe(self, units: Iterable[Unit], lanes: Iterable[Lane]) -> dict[str, object]:
        """The assistants of these units by their hash, as they are played."""
        asked = {unit.scenario.assistant for unit in units}
        played = [one for lane in lanes for one in lane.project.assistants if one.address in asked]
        return {
            self.hash_assistant(one): describe_whole(one, ((file, self.hash_file(file)) for file in one.files))
            for one in played
        }


def find_inputs(configuration: Configuration) -> frozenset[Path]:
    """The real paths of the files that are played."""
    scenarios, assistants = configuration.scenarios, configuration.project.assistants
    attached = (file.path for scenario in scenarios for turn in scenario.turns for file in turn.attachments)
    known = (file.path for assistant in assistants for file in assistant.files)
    listed = (Path(scenario.location.file) for scenario in scenarios)
    begun = set(find_code_files(configuration.project, scenarios))
    code = {file for one in begun for file in find_modules(*one)}
    scripts = (file for target in configuration.project.targets.values() for file in target.files)
    files = {*code, *scripts, configuration.file, *listed, *configuration.scenario_files, *attached, *known}
    return frozenset(file.resolve() for file in files)


def hash_inputs(configuration: Configuration, fingerprints: Fingerprints) -> dict[str, str]:
    """The hash of each file that is played, by its path below the root; and of each assistant, by its address.

    A text file or a variable that an assistant's instructions come from is in the latter.
    """
    files = {
        os.path.relpath(path, configuration.root): fingerprints.hash_file(path)
        for path in sorted(find_inputs(configuration).union(fingerprints.recordings))
    }
    return files | {
        f"assistant '{one.address}'": fingerprints.hash_assistant(one) for one in configuration.project.assistants
    }


def _find_recordings(configuration: Configuration, arguments: Mapping[str, object]) -> Path | None:
    """The folder that a play with these arguments takes its answers from."""
    replay = arguments.get("replay")
    return configuration.root / str(replay) if replay else None


def refuse_changes(kept: Kept, configuration: Configuration) -> None:
    """Raises GateClosed where a file is not what it was when the play began."""
    recordings = _find_recordings(configuration, kept.head.get("arguments", {}))
    files = hash_inputs(configuration, Fingerprints(recordings))
    before: Mapping[str, Any] = kept.head.get("files", {})
    changed = [name for name in (*before, *(set(files) - set(before))) if before.get(name) != files.get(name)]
    if changed:
        raise GateClosed(
            f"changed since play {kept.folder.name} began: {', '.join(sorted(changed))}; `--changed replay` plays "
            "again what they touch, and keeps the rest"
        )


@contextmanager
def open_play(
    folder: Path,
    session: Session,
    lanes: Sequence[Lane],
    scenarios: Sequence[Scenario],
    arguments: Mapping[str, object],
    resumed: Kept | None,
) -> Iterator[tuple[KeptPlay, Work]]:
    """The folder of a play, and what is to be done in it: all, or what `resumed` has no verdict on."""
    fingerprints = Fingerprints(_find_recordings(session.configuration, arguments))
    files = hash_inputs(session.configuration, fingerprints)
    units = [fingerprints.unit(scenario, lane.variant, lane.project) for scenario in scenarios for lane in lanes]
    done = set(find_done(resumed, units)) if resumed else set()
    spent, before = (resumed.spent, resumed.head) if resumed else (None, {})
    kept = KeptPlay(folder, (unit.key for unit in units), clean=session.redactor.clean, spent=spent)
    with closing(kept):
        kept.begin(
            {
                "play_id": folder.name,
                "started_at": before.get("started_at") or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "arguments": arguments,
                "variants": [asdict(lane.variant) for lane in lanes],
                "units": [unit.key for unit in units],
                "planned": len(units),
                "files": files,
                "definitions": before.get("definitions", {}) | fingerprints.describe(units, lanes),
            }
        )
        if resumed:
            for key in done:
                kept.results.add(key, resumed.place_of(key))
        yield (
            kept,
            Work(
                lanes=lanes,
                units=[unit for unit in units if unit.key not in done],
                planned=len(units),
                attempts={unit.key: resumed.attempts_of(unit) for unit in units} if resumed else {},
            ),
        )


def describe_resumed(kept: Kept, work: Work) -> str:
    """What goes on, how much of it is there already, and how much is sent."""
    which = f"play {kept.folder.name} of {show_time(kept.head['started_at'])} UTC"
    left = len(work.units)
    if not left:
        return f"{which} is complete: nothing is left to play"
    return f"{which} goes on: {work.planned - left} of {count(work.planned, 'scenario')} kept, {left} to play"


def show_time(started_at: str) -> str:
    """2026-11-29 15:14, of an ISO 8601 time."""
    return started_at[:16].replace("T", " ")


def find_done(kept: Kept, units: Iterable[Unit]) -> Iterator[Key]:
    """The units whose kept result is still good: judged, and nothing has changed that decides it."""
    for unit in units:
        result = kept.result_of(unit)
        if result is not None and result.counted_as in ("passed", "failed", "flaky", "skipped"):
            yield unit.key
