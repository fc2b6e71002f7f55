"""Code interpreter: Python in a sandbox, with files that code may read and write.

Code works in folders, one for each thread or container, in a temporary folder of this process.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from runner.server.inference import ProducedFile, ToolOutcome, ToolRequest
from runner.server.sandboxes import Sandbox, SandboxFailed, Workplace, open_sandbox, safe_name
from runner.server.tools import HostedTool, ToolContext, ToolSettings


def create(settings: ToolSettings) -> HostedTool:
    return CodeInterpreter(open_sandbox(settings.sandbox))


class CodeInterpreter:
    """Runs code as a notebook does: what it printed, then the value of its last expression.

    An exception in the code is an ordinary output, its traceback. Only a limit that was reached, or a sandbox that
    broke, leaves the call incomplete. What code defines stays defined within its thread or container, and the files
    that it writes stay in the folder of that.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._containers = Containers()

    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome:
        code = request.arguments.get("code")
        if not isinstance(code, str):
            return ToolOutcome(request=request, completed=False, output="code_interpreter needs `code`, a text")
        place_id = context.container_id or context.thread_id
        async with self._containers.lock(place_id):
            container, forgotten = self._containers.open(place_id)
            if forgotten is not None:
                await self._sandbox.forget(forgotten)
            try:
                await asyncio.to_thread(_give_files, container, context)
            except OSError as error:
                reason = f"the files can't be given to the code: {error.strerror or error}"
                return ToolOutcome(request=request, completed=False, output=reason)
            before = await asyncio.to_thread(container.stamp)
            completed, output = await self._run_in(container, code, place_id, context.home)
            after = await asyncio.to_thread(container.stamp)
            return ToolOutcome(
                request=request,
                completed=completed,
                output=output,
                files=container.report_produced(before, after),
                removed=tuple(sorted(before.keys() - after.keys())),
            )

    async def forget_gone(self, is_in_use: Callable[[str], bool]) -> None:
        for place_id in self._containers.drop_gone(is_in_use):
            await self._sandbox.forget(place_id)

    async def close(self) -> None:
        await self._sandbox.close()
        self._containers.close()

    async def _run_in(self, container: Container, code: str, place_id: str, home: str) -> tuple[bool, str]:
        """Whether the code ran to its end (be it a traceback), and its output."""
        room_bytes = await asyncio.to_thread(container.room_bytes)
        place = Workplace(place_id=place_id, folder=container.folder, room_bytes=room_bytes, home=home)
        try:
            return True, await self._sandbox.run(code, place)
        except SandboxFailed as error:
            return False, str(error)


def _give_files(container: Container, context: ToolContext) -> None:
    if context.container_id is None:
        container.give(context.files)
    else:
        container.match(context.files, context.written)
    if context.outputs is not None:
        (container.folder / context.outputs).mkdir(exist_ok=True)


_PREFIX = "runner-code-"
_NEW_S = 60.0
"""A folder this young may belong to a process that has not locked it yet."""


class CodeHome:
    """A folder of our own, locked for as long as this process lives. Made, it removes those of processes that died.

    Where a system has no such locks, nothing tells which those are.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self._lock = _lock(self.path)
        if self._lock is not None:
            _remove_abandoned(self.path.parent)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._folder.cleanup()


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # Another process may be removing it, too.
        with suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.getuid() or time.time() - status.st_mtime < _NEW_S:
                continue
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock; None if another process has it, or this system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


MAX_CONTAINERS = 64
MAX_WRITTEN_BYTES = 64 << 20  # that the code of a thread may have in its folder, beside what was given to it
MAX_PRODUCED_FILES = 20

Stamps = Mapping[str, tuple[int, int]]


class Container:
    """One folder. Its methods block; those that put files into it raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._given: dict[str, Path] = {}
        self._written: dict[str, Path] = {}

    def give(self, files: Mapping[str, Path]) -> None:
        """Copy the files that are not there; what code wrote into earlier ones stays."""
        self._copy({safe_name(name): source for name, source in files.items()}, self._given)

    def match(self, given: Mapping[str, Path], written: Mapping[str, Path]) -> None:
        """Have these files, without what others have removed meanwhile."""
        gone = (self._given.keys() | self._written.keys()) - given.keys() - written.keys()
        for name in gone:
            self._remove_file(name)
        for name in (*given, *written):
            self._remove_what_is_in_the_way_of(name)
        self._given = {name: source for name, source in self._given.items() if name in given}
        self._written = {name: source for name, source in self._written.items() if name in written}
        self._copy(given, self._given)
        self._copy(written, self._written)

    def _remove_file(self, name: str) -> None:
        """Unless code has made a folder of it, or a file of its folder."""
        place = self.folder / name
        if place.is_symlink() or place.is_file():
            place.unlink()

    def _remove_what_is_in_the_way_of(self, name: str) -> None:
        """Others may have made a file of what was a folder, and the other way round."""
        place = self.folder / name
        for parent in Path(name).parents:
            self._remove_file(parent.as_posix())
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)

    def _copy(self, files: Mapping[str, Path], known: dict[str, Path]) -> None:
        for name, source in files.items():
            place = self.folder / name
            if known.get(name) == source and place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            known[name] = source

    def stamp(self) -> Stamps:
        """Size and time of change of each file, but for those whose names are no text."""
        return {name: (status.st_size, status.st_mtime_ns) for name, status in self._files() if _is_text(name)}

    def room_bytes(self) -> int:
        written = sum(status.st_size for name, status in self._files() if name not in self._given)
        return max(0, MAX_WRITTEN_BYTES - written)

    def report_produced(self, before: Stamps, after: Stamps) -> tuple[ProducedFile, ...]:
        """The files that are new or different since `before`, by name; no more than 20."""
        changed = sorted(name for name, stamp in after.items() if stamp != before.get(name))
        reported = changed[:MAX_PRODUCED_FILES]
        # From now on others know of them, and may remove or replace them.
        self._written |= {name: self.folder / name for name in reported}
        return tuple(ProducedFile(name=name, filename=safe_name(name), path=self.folder / name) for name in reported)

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Regular files, by their paths inside the folder; links are none."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.folder).as_posix(), path.lstat()


class Containers:
    """Containers by their own ids or their threads', the least recently used dropped first; and a lock for each."""

    def __init__(self) -> None:
        self._containers: OrderedDict[str, Container] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._home: CodeHome | None = None

    def lock(self, place_id: str) -> asyncio.Lock:
        """Held while code runs there: like the cells of a notebook, it runs one after the other."""
        return self._locks.setdefault(place_id, asyncio.Lock())

    def open(self, place_id: str) -> tuple[Container, str | None]:
        """The container, and the id of the one that was dropped for it. The container's lock is held."""
        if place_id not in self._containers:
            if self._home is None:
                self._home = CodeHome()
            self._containers[place_id] = Container(Path(tempfile.mkdtemp(dir=self._home.path)))
        self._containers.move_to_end(place_id)
        return self._containers[place_id], self._drop_oldest()

    def drop_gone(self, is_in_use: Callable[[str], bool]) -> tuple[str, ...]:
        """Drop those that are not in use any more. Returns their ids."""
        gone = tuple(one for one in self._containers if not self._is_locked(one) and not is_in_use(one))
        for place_id in gone:
            self._drop(place_id)
        return gone

    def close(self) -> None:
        self._containers.clear()
        if self._home is not None:
            self._home.close()
            self._home = None

    def _drop_oldest(self) -> str | None:
        if len(self._containers) <= MAX_CONTAINERS:
            return None
        oldest = next((one for one in self._containers if not self._is_locked(one)), None)
        if oldest is not None:
            self._drop(oldest)
        return oldest

    def _is_locked(self, place_id: str) -> bool:
        lock = self._locks.get(place_id)
        return lock is not None and lock.locked()

    def _drop(self, place_id: str) -> None:
        shutil.rmtree(self._containers.pop(place_id).folder, ignore_errors=True)


def _is_text(name: str) -> bool:
    """Whether the bytes of a file's name are Unicode: a JSON body or a database takes no others."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)
