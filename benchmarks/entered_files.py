"""How many files of the program one scenario runs through: `play` on the embedded server, both in this process.

Counts files under runner/ of which a function was called (being imported is not enough), and lists them by room. What
runs in a process of its own, as the reading of a PDF does, is not seen. Run it from anywhere, with a scenario of the
example project and an API, or without: `python benchmarks/entered_files.py scenarios/receipt.yaml responses`.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import tempfile
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[1]
PROGRAM = f"{ROOT / 'runner'}{os.sep}"
MOST_FILES = 110


def main() -> None:
    scenario, api = [*sys.argv[1:], *("scenarios/ticket.yaml", "responses")[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder), api)
        os.chdir(folder)
        entered = trace_play(scenario)
    show(entered)


def copy_project(folder: Path, api: str) -> None:
    declared = (ROOT / "assistants.yaml").read_text(encoding="utf-8")
    target = f"target: counted\ntargets:\n  counted: {{server: embedded, api: {api}}}\n"
    (folder / "assistants.yaml").write_text(declared.replace("target: embedded\n", target), encoding="utf-8")
    for name in ("scenarios", "knowledge", "tools"):
        shutil.copytree(ROOT / name, folder / name)


def trace_play(scenario: str) -> set[CodeType]:
    """The functions of the program that were called, on whichever thread."""
    entered: set[CodeType] = set()

    def notice(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        # The bodies of modules and classes, which importing runs, have no local variables of the quick kind.
        if event == "call" and code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(PROGRAM):
            entered.add(code)

    threading.setprofile(notice)
    sys.setprofile(notice)
    try:
        from runner.cli import main as run

        with suppress(SystemExit):
            run(["play", scenario])
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return entered


def show(entered: set[CodeType]) -> None:
    files = sorted({Path(code.co_filename).relative_to(ROOT) for code in entered})
    rooms: defaultdict[Path, list[str]] = defaultdict(list)
    for file in files:
        rooms[file.parent].append(file.stem)
    for room, names in rooms.items():
        print(f"{len(names):4}  {room}: {' '.join(names)}")
    print(f"{len(files)} files (limit {MOST_FILES}), {len(entered)} functions")


if __name__ == "__main__":
    main()
