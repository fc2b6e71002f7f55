"""200 one-turn scenarios, 20 at a time, against a server whose runs take 100 ms: how near to the floor is `play`?

The floor is 200 / 20 x 0.1 s = 1.0 s. The server is the embedded one in a process of its own, with an inference that
thinks for 100 ms. Prints the time from the first request to the last verdict, its ratio to the floor, the whole
process, and its peak memory. `python benchmarks/play_many.py [SCENARIOS] [JOBS]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
THINKING_S = 0.1


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[2])))
        return
    count, jobs = (int(text) for text in (sys.argv[1:] + ["200", "20"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", f"{folder}/state"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())
            project = make_project(Path(folder) / "project", count, address["base_url"])
            measure(project, address["token"], count, jobs)
        finally:
            server.terminate()
            server.wait()


def measure(project: Path, token: str, count: int, jobs: int) -> None:
    floor_s = count / jobs * THINKING_S
    command = [sys.executable, "-m", "runner", "play", "-n", str(jobs), "-q", "--report", "json=report.json"]
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=project, env={**os.environ, "BENCH_KEY": token}, capture_output=True, text=True, check=False
        )
        whole_s = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(f"play exited {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        play_s = json.loads((project / "report.json").read_text())["duration_s"]
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"{count} scenarios, {jobs} at a time: {play_s:.2f} s without start-up, {play_s / floor_s:.2f} x the floor "
            f"of {floor_s:.1f} s (limit 2.5 x); whole process {whole_s:.2f} s; peak {peak_mb:.0f} MB (limit 100 MB)"
        )


def make_project(folder: Path, count: int, base_url: str) -> Path:
    (folder / "scenarios").mkdir(parents=True)
    (folder / "assistants.yaml").write_text(
        "version: 1\nnamespace: bench-000000\ntarget: slow\n"
        f"targets:\n  slow: {{api: assistants, base_url: '{base_url}', key_env: BENCH_KEY}}\n"
        "assistants:\n  guide: {name: Guide, model: gpt-6-luna}\n"
    )
    cases = "".join(
        f"  - name: scenario {number}\n    turns:\n      - ask: What is {number} times 1?\n"
        f"        expect: [{{number: {number}}}]\n"
        for number in range(count)
    )
    (folder / "scenarios" / "many.yaml").write_text(f"defaults: {{assistant: guide}}\nscenarios:\n{cases}")
    return folder


async def serve(state: Path) -> None:
    """The embedded server with an inference that thinks and then repeats the question's first number."""
    import re

    from runner.server.embedded import start_embedded
    from runner.server.inference import Answer, Scene, Turnout

    class Thinking:
        name = "thinking"

        async def decide(self, scene: Scene) -> Turnout:
            await asyncio.sleep(THINKING_S)
            number = re.search(r"\d+", scene.messages[-1].text)
            return Turnout(move=Answer(text=f"It is {number.group() if number else 'unknown'}."))

    async with start_embedded(state, Thinking()) as address:
        print(json.dumps({"base_url": address.base_url, "token": address.token}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
