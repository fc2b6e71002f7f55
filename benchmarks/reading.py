"""2,000 scenarios read and checked: how long does `validate` take, in one file and in 100?

Prints seconds of CPU without start-up (the median of three), beside what PyYAML's parser alone takes for the same
text, and what it was on 2026-11-29 on the same two cores. `python benchmarks/reading.py [SCENARIOS]`, from anywhere.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from runner.config import load_configuration

WAS_S = {1: 1.62, 100: 1.87}
"""Seconds for 2,000 scenarios, by the number of files, before sound files were read in a quicker way."""
SCENARIO = """
  - name: scenario {number}
    tags: [many]
    turns:
      - ask: What is {number} plus 3?
        expect: [{{number: {answer}}}, {{contains: plus}}]
"""


def main() -> None:
    count = int([*sys.argv, "2000"][1])
    for files in (1, 100):
        with tempfile.TemporaryDirectory() as folder:
            project = make_project(Path(folder), count, files)
            read(project)  # what is imported and composed once
            took_s = median_s(lambda project=project: read(project))  # type: ignore[misc]  # bound at once
            alone_s = median_s(lambda project=project: parse(project))  # type: ignore[misc]
        was = f", was {WAS_S[files]:.2f} s" if count == 2000 else ""
        print(
            f"{count} scenarios in {files} files: {took_s:.2f} s{was}; "
            f"{took_s / alone_s:.1f} x PyYAML's parser alone ({alone_s:.2f} s)"
        )


def make_project(folder: Path, count: int, files: int) -> Path:
    (folder / "scenarios").mkdir()
    (folder / "assistants.yaml").write_text(
        "version: 1\nnamespace: bench-000000\nassistants:\n  guide: {name: Guide, model: gpt-6-luna}\n"
    )
    for file in range(files):
        numbers = range(file * count // files, (file + 1) * count // files)
        cases = "".join(SCENARIO.format(number=number, answer=number + 3) for number in numbers)
        text = f"defaults: {{assistant: guide}}\nscenarios:{cases}"
        (folder / "scenarios" / f"{file:03}.yaml").write_text(text)
    return folder


def read(project: Path) -> None:
    load_configuration(file=None, scenario_paths=(), cwd=project, environment={})


def parse(project: Path) -> None:
    for file in (project / "scenarios").iterdir():
        for _ in yaml.parse(file.read_text(), Loader=yaml.SafeLoader):
            pass


def median_s(work: Callable[[], None]) -> float:
    return statistics.median(_cpu_s(work) for _ in range(3))


def _cpu_s(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
