"""Large files on their way: a bar for each on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from runner.escaping import terminal, terminal_line
from runner.sync import Uploading
from runner.sync.desired import HashedFile

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY_BYTES = 100_000_000

Show = Callable[[Iterable[str]], None]
"""Prints lines, each made harmless."""


class UploadProgress:
    """`clean` takes the secrets out of a text. While bars are up, other lines must be printed with `show` too."""

    def __init__(self, stream: TextIO, show: Show, clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._show = show
        self._clean = clean
        self._is_terminal = stream.isatty()
        self._bars: Progress | None = None
        self._tasks: dict[HashedFile, TaskID] = {}
        self._told: dict[HashedFile, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()
            self._bars = None

    def on_upload(self, uploading: Uploading) -> None:
        if self._is_terminal:
            self._draw(uploading)
        else:
            self._tell(uploading)

    def show(self, lines: Iterable[str]) -> None:
        """Print lines, above the bars if there are any."""
        if self._bars is None:
            self._show(lines)
            return
        from rich.text import Text

        for line in lines:
            plain = terminal(self._clean(line.replace("\n", " ")))
            self._bars.console.print(Text(plain), soft_wrap=True)

    def _draw(self, uploading: Uploading) -> None:
        if self._bars is None:
            self._bars = _new_bars(self._stream)
            self._bars.start()
        file = uploading.file
        if file not in self._tasks:
            name = terminal_line(self._clean(file.name))
            self._tasks[file] = self._bars.add_task("", name=name, total=file.fingerprint.size_bytes)
        self._bars.update(self._tasks[file], completed=uploading.sent_bytes)
        if uploading.is_over:
            self._bars.remove_task(self._tasks.pop(file))

    def _tell(self, uploading: Uploading) -> None:
        file, sent = uploading.file, uploading.sent_bytes
        if uploading.is_over:
            self._told.pop(file, None)
            return
        told = self._told.get(file)
        size = describe_size(file.fingerprint.size_bytes)
        if told is None:
            self._show([f"uploading '{file.name}', {size}"])
            self._told[file] = 0
        elif sent - told >= LINE_EVERY_BYTES:
            self._show([f"uploading '{file.name}', {describe_size(sent)} of {size}"])
            self._told[file] = sent


def describe_size(size_bytes: int) -> str:
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1000:.0f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1_000_000:.1f} MB"


def _new_bars(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(file=stream, highlight=False, markup=False, emoji=False),
        transient=True,
    )
