"""An append-only record of intents, remote ids and results, one JSON object a line.

What a crash leaves is whole but for the last line, which readers drop. Lines are handed to the operating system
at once (they survive kill -9), not forced to the disk (a power cut may lose the last ones).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.domain.plan import Kind
from runner.errors import WriteFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A create that was about to be sent; `tags` are those that it carries."""

    kind: Kind
    label: str
    tags: Mapping[str, str]


class Journal:
    """One file of entries, kept open while the work goes on.

    `add` writes an entry of any type; the others write those that say which remote objects exist because of us.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next_intent = 1
        self._live: dict[tuple[Kind, str], str] = {}
        self._pending: dict[int, Intent] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise WriteFailed(f"cannot write the journal {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, entry: str, **fields: object) -> None:
        """Append one entry. Raises WriteFailed if the disk refuses it."""
        line = json.dumps({"entry": entry, **fields}, ensure_ascii=True, default=str)
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise WriteFailed(f"cannot write the journal {self.path}: {error.strerror}") from error

    def intend(self, kind: Kind, label: str, tags: Mapping[str, str] | None = None) -> int:
        """Say, before a create is sent, what is about to exist. The number goes to `created` or `refused`."""
        number = self._next_intent
        self._next_intent += 1
        self._pending[number] = Intent(kind=kind, label=label, tags=dict(tags or {}))
        self.add("intent", number=number, kind=kind.value, label=label, tags=dict(tags or {}))
        return number

    def created(self, number: int, remote_id: str) -> None:
        intent = self._pending.pop(number)
        self._live[(intent.kind, remote_id)] = intent.label
        self.add("created", number=number, kind=intent.kind.value, id=remote_id)

    def refused(self, number: int, reason: str) -> None:
        """The remote side said no: nothing exists."""
        self._pending.pop(number)
        self.add("refused", number=number, reason=reason)

    def deleted(self, kind: Kind, remote_id: str) -> None:
        self._live.pop((kind, remote_id), None)
        self.add("deleted", kind=kind.value, id=remote_id)

    @property
    def live(self) -> tuple[tuple[Kind, str], ...]:
        """Objects that we made and have not deleted, the newest first."""
        return tuple(reversed(self._live))

    @property
    def unclear(self) -> tuple[tuple[Kind, str], ...]:
        """Creates whose answer was lost: (kind, label)."""
        return tuple((intent.kind, intent.label) for intent in self._pending.values())

    @property
    def unclear_intents(self) -> tuple[Intent, ...]:
        """The same creates with the tags to look them up by."""
        return tuple(self._pending.values())
