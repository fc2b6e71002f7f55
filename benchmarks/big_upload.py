"""A sync of one file of 512 MB against `runner serve`: how much memory do both processes take, and how long is it?

The file is an archive of random bytes for the code interpreter, so that nothing is indexed. First the same is done with
a file of 1 MB: what the peaks differ by is what the size costs. Exits 1 if that is more than 32 MB on either side,
or if a second sync uploads again. `python benchmarks/big_upload.py [MEGABYTES]`, each of 1024 * 1024 bytes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from serve_process import Server, serve

MEGABYTE = 1024 * 1024
MOST_GROWTH_MB = 32.0
PROJECT = """\
version: 1
namespace: bench-000000
target: elsewhere
targets:
  elsewhere: {{api: assistants, base_url: "{base_url}", key_env: BENCH_KEY}}
assistants:
  guide:
    model: gpt-6-luna
    tools: [code_interpreter]
    files: [{{file: content.zip, for: code_interpreter}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    took_s: float
    again_s: float
    client_mb: float
    server_mb: float


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    small, large = measure(1), measure(megabytes)
    # Processes that start and connect take their time with any size.
    speed = (megabytes - 1) / max(large.took_s - small.took_s, 0.001)
    print(f"{megabytes} MB: {large.took_s:.1f} s, {speed:.0f} MB/s; a second sync, all hashed: {large.again_s:.1f} s")
    growth = (large.client_mb - small.client_mb, large.server_mb - small.server_mb)
    print(f"client's peak {large.client_mb:.0f} MB, {growth[0]:+.0f} MB more than with 1 MB")
    print(f"server's peak {large.server_mb:.0f} MB, {growth[1]:+.0f} MB more than with 1 MB")
    if max(growth) > MOST_GROWTH_MB:
        raise SystemExit(f"not constant: more than {MOST_GROWTH_MB:g} MB on top")


def measure(megabytes: int) -> Figures:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = write_content(folder / "content.zip", megabytes)
        with serve(folder, "--state", "state") as server:
            (folder / "assistants.yaml").write_text(PROJECT.format(base_url=server.base_url))
            took_s, client_mb, said = sync(folder, server)
            # Without the cache, it reads the whole file again.
            (folder / ".runner" / "cache" / "sync.json").unlink(missing_ok=True)
            again_s, again_mb, said_again = sync(folder, server)
            if "nothing to do" not in said_again:
                raise SystemExit(f"the second sync did something: {said}{said_again}")
            if not list(folder.rglob(expected)):
                raise SystemExit("the server has not what was sent")
            return Figures(
                took_s=took_s, again_s=again_s, client_mb=max(client_mb, again_mb), server_mb=server.peak_mb()
            )


def write_content(path: Path, megabytes: int) -> str:
    """Its sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            part = os.urandom(MEGABYTE)
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def sync(folder: Path, server: Server) -> tuple[float, float, str]:
    """Seconds, peak memory in MB, and what was printed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "sync"],
        cwd=folder,
        env={**os.environ, "BENCH_KEY": server.token},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"sync exited {process.returncode}: {said}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, said


if __name__ == "__main__":
    main()
