"""100 assistants and 1,000 files: how long does a plan take on the embedded server, first and when all is in sync?

Prints the time of the whole process each time. `python benchmarks/plan_many.py [ASSISTANTS] [FILES]`; every assistant
gets an equal share of the files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 2.0


def main() -> None:
    assistants, files = (int(text) for text in (sys.argv[1:] + ["100", "1000"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), assistants, files)
        print(f"{assistants} assistants, {files} files")
        measure(project, "plan", "plan before the first sync")
        measure(project, "sync", "first sync")
        measure(project, "plan", f"plan, in sync (limit {LIMIT_S:g} s)")
        shutil.rmtree(project / ".runner" / "cache")
        measure(project, "plan", f"plan, in sync, without the cache (limit {LIMIT_S:g} s)")


def measure(project: Path, verb: str, what: str) -> None:
    started, before = time.perf_counter(), os.times()
    command = [sys.executable, "-m", "runner", verb]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    took_s, after = time.perf_counter() - started, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    if done.returncode:
        raise SystemExit(f"{verb} exited {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    print(f"{what}: {took_s:.2f} s, {cpu_s:.2f} s of them on a processor; {done.stdout.splitlines()[-1]}")


def make_project(folder: Path, assistants: int, files: int) -> Path:
    text = ["version: 1", "namespace: bench-000000", "assistants:"]
    share = files // assistants
    for number in range(assistants):
        knowledge = folder / "knowledge" / str(number)
        knowledge.mkdir(parents=True)
        for file in range(share):
            (knowledge / f"{number}-{file}.md").write_text(f"Fact {file} of assistant {number}.")
        text += [
            f"  guide-{number}:",
            "    model: gpt-6-luna",
            f"    instructions: You are guide {number}.",
            "    tools: [file_search]",
            f"    files: [knowledge/{number}/*.md]",
        ]
    (folder / "assistants.yaml").write_text("\n".join(text) + "\n")
    return folder


if __name__ == "__main__":
    main()
