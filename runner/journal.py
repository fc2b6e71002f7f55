"""An append-only record of intents, remote ids and results, one JSON object a line.

What a crash leaves is whole but for the last line, which readers drop. Lines are handed to the operating system
at once (they survive kill -9), not forced to the disk (a power cut may lose the last ones).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from runner.domain.plan import Kind
from runner.errors import WriteFailed

PLAY_JOURNALS = "*/journal*.jsonl"
"""The journals in the folders of plays: one for each target."""
LOOK_S = 1.0
"""No look at a journal takes so long; who has it locked for longer goes on with it."""
PLAYS_KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A create that was about to be sent; `tags` are those that it carries."""

    kind: Kind
    label: str
    tags: Mapping[str, str]


class Journal:
    """One file of entries, kept open while the work goes on; it knows what a dead process left in it.

    `add` writes an entry of any type; the others write those that say which remote objects exist because of us.
    `clean` takes secrets out of every line. `refusal` is the first line of what was done that the disk did not take.
    `is_locked`: this process has locked it already, by `find_journals`.
    """

    def __init__(self, path: Path, *, clean: Callable[[str], str] = str, is_locked: bool = False) -> None:
        self.path = path
        self._clean = clean
        self.refusal: WriteFailed | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._known = _recall(path) if path.is_file() else _Known()
            is_cut_off = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")
            self._file = path.open("a", encoding="utf-8", newline="\n")
            if is_cut_off:
                self._file.write("\n")  # else the first entry would be lost together with the half line
            # Says that somebody is at work here, until the process ends however it ends.
            if not is_locked:
                _lock_patiently(self._file)
        except OSError as error:
            raise WriteFailed(f"cannot write the journal {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Every line was flushed or has failed loudly; a full disk would only complain once more.
        with suppress(OSError):
            self._file.close()

    def add(self, entry: str, **fields: object) -> None:
        """Append one entry. Raises WriteFailed if the disk refuses it."""
        line = json.dumps({"entry": entry, **fields}, ensure_ascii=True, default=str)
        try:
            self._file.write(self._clean(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise WriteFailed(f"cannot write the journal {self.path}: {error.strerror}") from error

    def note(self, entry: str, **fields: object) -> None:
        """Append an entry about what is done: if the disk refuses it, the work goes on, and begins nothing new."""
        try:
            self.add(entry, **fields)
        except WriteFailed as error:
            self.refusal = self.refusal or error

    def intend(self, kind: Kind, label: str, tags: Mapping[str, str] | None = None) -> int:
        """Say, before a create is sent, what is about to exist. The number goes to `created` or `refused`.

        Raises WriteFailed if that, or what was done before, can't be written: it must not be sent then.
        """
        number = self._known.next_intent
        fields = {"number": number, "kind": kind.value, "label": label, "tags": dict(tags or {})}
        self.note("intent", **fields)
        if self.refusal:
            raise self.refusal
        self._known.take("intent", fields)
        return number

    def record(self, entry: str, **fields: object) -> None:
        """What became of an object, known from now on as whoever reads the file will know it."""
        self._known.take(entry, fields)
        self.note(entry, **fields)

    def created(self, number: int, remote_id: str) -> None:
        self.record("created", number=number, kind=self._known.pending[number].kind.value, id=remote_id)

    def found(self, kind: Kind, remote_id: str, label: str) -> None:
        """Say that the remote side made an object for us that we didn't ask for by a create."""
        self.record("created", kind=kind.value, id=remote_id, label=label)

    def refused(self, number: int, reason: str) -> None:
        """The remote side said no: nothing exists."""
        self.record("refused", number=number, reason=reason)

    def deleted(self, kind: Kind, remote_id: str) -> None:
        self.record("deleted", kind=kind.value, id=remote_id)

    def disown(self, kind: Kind, remote_id: str) -> None:
        """Say that an object that was taken for ours is not, and is none of our business."""
        self.record("disowned", kind=kind.value, id=remote_id)

    def forget_unclear(self) -> None:
        """Say that people were told of the creates whose answer was lost: nothing more can be done about them."""
        for number in list(self._known.pending):
            self.record("named", number=number)

    def is_live(self, kind: Kind, remote_id: str) -> bool:
        """Whether we made it and have not deleted it."""
        return (kind, remote_id) in self._known.live

    @property
    def live(self) -> tuple[tuple[Kind, str], ...]:
        """Objects that we made and have not deleted, the newest first."""
        return tuple(reversed(self._known.live))

    @property
    def unclear(self) -> tuple[Intent, ...]:
        """Creates whose answer was lost, with the tags to look them up by."""
        return tuple(self._known.pending.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a journal that was read back; `journal` is the file's name."""

    journal: str
    entry: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class _Known:
    """What the entries of a journal come to; `live` has the label of each remote object."""

    next_intent: int = 1
    live: dict[tuple[Kind, str], str] = field(default_factory=dict)
    pending: dict[int, Intent] = field(default_factory=dict)

    def take(self, entry: str, fields: Mapping[str, Any]) -> None:
        number = fields.get("number", 0)
        match entry:
            case "intent":
                self.next_intent = number + 1
                kind, label = Kind(fields["kind"]), str(fields["label"])
                self.pending[number] = Intent(kind=kind, label=label, tags=dict(fields.get("tags", {})))
            case "created":
                intent = self.pending.pop(number, None)
                label = intent.label if intent else str(fields.get("label", ""))
                self.live[(Kind(fields["kind"]), str(fields["id"]))] = label
            case "refused" | "named":
                self.pending.pop(number, None)
            case "deleted" | "disowned":
                self.live.pop((Kind(fields["kind"]), str(fields["id"])), None)


def read_live(path: Path) -> tuple[tuple[Kind, str], ...]:
    """What exists because of a journal, as it says, the oldest first; it is only looked at."""
    return tuple(_recall(path).live)


def _recall(path: Path) -> _Known:
    known = _Known()
    for entry in read_journal(path):
        # A line of a newer version, or one edited by hand, must not stand in the way of the others.
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            known.take(entry.entry, entry.fields)
    return known


def read_journal(path: Path) -> tuple[Entry, ...]:
    """The entries of a journal; what a crash cut off, or another program wrote, is left out. Raises WriteFailed.

    One that is not there has none: who wrote nothing removes it, be it a moment after it was found.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise WriteFailed(f"cannot read the journal {path}: {error.strerror}") from error
    entries = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            fields = json.loads(line)
            if isinstance(fields, dict) and isinstance(fields.get("entry"), str):
                entries.append(Entry(journal=path.name, entry=fields.pop("entry"), fields=fields))
    return tuple(entries)


def find_journals(folder: Path, pattern: str) -> Iterator[Path]:
    """Journals that nobody is writing any more, in the order of their names."""
    for path in sorted(folder.glob(pattern)):
        with suppress(OSError), path.open("rb") as file:
            if lock(file):
                yield path


def forget_plays(folder: Path, *, keep: int = PLAYS_KEPT) -> None:
    """Remove the folders of plays but for the newest, and for those that may have left something to clean.

    What has no results, as pytest's have none, is counted by itself: it must not push out what can be told again.
    """
    journals: dict[Path, list[Path]] = {}
    for path in find_journals(folder, PLAY_JOURNALS):
        journals.setdefault(path.parent, []).append(path)
    told = [play for play in journals if (play / "results.jsonl").exists()]
    untold = [play for play in journals if play not in told]
    for play in (*told[:-keep], *untold[:-keep]):
        with suppress(WriteFailed):
            if not any(known.live or known.pending for known in map(_recall, journals[play])):
                shutil.rmtree(play, ignore_errors=True)


def _lock_patiently(file: IO[Any]) -> None:
    """Whoever looks whether it is at work has a journal locked for that moment; after that it must be ours."""
    deadline = time.monotonic() + LOOK_S
    while not lock(file) and time.monotonic() < deadline:
        time.sleep(0.01)


def lock(file: IO[Any]) -> bool:
    """Lock an open file for this process; False if another has it. Systems without such locks always give it."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
