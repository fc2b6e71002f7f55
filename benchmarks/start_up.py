"""How long people wait before anything happens: help, validation, the server, the examples.

Prints medians in milliseconds next to their limits. Run from anywhere: `python benchmarks/start_up.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCENARIO = """
assistant: guide
scenarios:
  - name: scenario {number}
    turns:
      - ask: What is {number} plus 3?
        expect: [{{number: {answer}}}, {{contains: plus}}]
"""
READY = """
import time; started = time.perf_counter()
import asyncio, pathlib, sys
from runner.plugins import load_plugin
from runner.server.embedded import start_embedded
async def main():
    inference = load_plugin("runner.server.inference", "offline").create({})
    async with start_embedded(pathlib.Path(sys.argv[1]), inference):
        print(time.perf_counter() - started)
asyncio.run(main())
"""


def main() -> None:
    runner = [sys.executable, "-m", "runner"]
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "hundred")
        show("runner --help", 250, median_ms(lambda: wall_s([*runner, "--help"], ROOT), 9))
        show("python -c pass, for comparison", None, median_ms(lambda: wall_s([sys.executable, "-c", ""], ROOT), 9))
        show("runner validate, 100 scenarios", 1_000, median_ms(lambda: wall_s([*runner, "validate"], project), 5))
        states = iter(range(100))
        show("embedded server ready", 300, median_ms(lambda: ready_s(Path(folder) / f"state{next(states)}"), 7))
        show("runner play, all examples", 5_000, median_ms(lambda: wall_s([*runner, "play"], ROOT), 3))


def make_project(folder: Path) -> Path:
    """A project of 100 scenarios in 100 files."""
    (folder / "scenarios").mkdir(parents=True)
    (folder / "assistants.yaml").write_text(
        "version: 1\nnamespace: bench-000000\nassistants:\n  guide: {name: Guide, model: gpt-6-luna}\n"
    )
    for number in range(100):
        text = SCENARIO.replace("assistant: guide\n", "defaults: {{assistant: guide}}\n")
        file = folder / "scenarios" / f"{number:03}.yaml"
        file.write_text(text.format(number=number, answer=number + 3))
    return folder


def wall_s(command: list[str], cwd: Path) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} exited {done.returncode}: {done.stdout}{done.stderr}")
    return time.perf_counter() - started


def ready_s(state: Path) -> float:
    """Seconds from the first import to a server that listens, in a fresh process without interpreter start-up."""
    command = [sys.executable, "-c", READY, str(state)]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def median_ms(measure: Callable[[], float], times: int) -> float:
    return statistics.median(measure() for _ in range(times)) * 1_000


def show(what: str, limit_ms: float | None, measured_ms: float) -> None:
    limit = f"limit {limit_ms:6,.0f} ms, {measured_ms / limit_ms:4.0%} of it" if limit_ms else ""
    print(f"{what:34} {measured_ms:8.0f} ms   {limit}")


if __name__ == "__main__":
    main()
