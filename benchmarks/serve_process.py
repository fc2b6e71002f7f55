"""`runner serve` in a process of its own, for the benchmarks that measure it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    process: subprocess.Popen[str]
    base_url: str
    token: str

    def peak_mb(self) -> float:
        """Source: VmHWM in proc_pid_status(5); nan where there is no /proc."""
        try:
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        except FileNotFoundError:
            return float("nan")
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "serve", "--quiet", "--port", "0", *options],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "RUNNER_TOKEN"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        exports: dict[str, str] = {}
        while len(exports) < 2:
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"the server ended with {process.wait()}")
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value
        yield Server(process=process, base_url=exports["OPENAI_BASE_URL"], token=exports["OPENAI_API_KEY"])
    finally:
        process.terminate()
        process.wait(30)
