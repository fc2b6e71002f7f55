"""50 clients at once, 1,000 runs: how many runs a second does `runner serve` do, and how long does each take?

The server is `runner serve` in a process of its own, once with a script that answers at once, once with the offline
rules and a question that goes through the code interpreter. Each client is the official async SDK with connections of
its own; a run is one create-and-run that polls as the server advises, and the list of its answer. Before that, one
client alone does some runs: the ratios to it say what company costs on this machine. Exits 1 if any run or answer
is wrong. `python benchmarks/many_clients.py [CLIENTS] [RUNS]`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import warnings
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, OpenAIError
from serve_process import Server, serve

RUNS_ALONE = 50
SCRIPT = "scripts: [{question: any, moves: [{say: 'Heard.'}]}]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is asked of which inference, and what must be in the answer."""

    name: str
    inference: str
    question: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of a number of runs: what they took together, and each in ascending order."""

    took_s: float
    each_s: tuple[float, ...]
    errors: tuple[str, ...]

    @property
    def runs_per_s(self) -> float:
        return len(self.each_s) / self.took_s

    def quantile_ms(self, share: float) -> float:
        return self.each_s[min(int(len(self.each_s) * share), len(self.each_s) - 1)] * 1000 if self.each_s else 0.0


def main() -> None:
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    clients, runs = (int(text) for text in (sys.argv[1:] + ["50", "1000"][len(sys.argv) - 1 :])[:2])
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "moves.yaml").write_text(SCRIPT)
        for task in (
            Task(name="instant", inference="scripted=moves.yaml", question="Hello?", wanted="Heard."),
            Task(name="arithmetic", inference="offline", question="Split $5632.34 between 17 people.", wanted="331.31"),
        ):
            with serve(Path(folder), "--state", task.name, "--inference", task.inference) as server:
                failed += measure(server, task, clients, runs)
    raise SystemExit(1 if failed else 0)


def measure(server: Server, task: Task, clients: int, runs: int) -> int:
    """The number of errors."""
    alone = asyncio.run(run_many(server, task, 1, min(RUNS_ALONE, runs)))
    together = asyncio.run(run_many(server, task, clients, runs))
    print(
        f"{task.name}: {clients} clients, {runs} runs: {together.runs_per_s:.0f} runs/s, "
        f"{together.runs_per_s / alone.runs_per_s:.2f} x one client alone; p50 {together.quantile_ms(0.5):.0f} ms, "
        f"p95 {together.quantile_ms(0.95):.0f} ms (alone {alone.quantile_ms(0.5):.0f} and "
        f"{alone.quantile_ms(0.95):.0f} ms); server's peak {server.peak_mb():.0f} MB; "
        f"{len(alone.errors) + len(together.errors)} errors",
        flush=True,
    )
    errors = alone.errors + together.errors
    for error in sorted(set(errors))[:5]:
        print(f"  {errors.count(error)} x {error}")
    return len(errors)


async def run_many(server: Server, task: Task, clients: int, runs: int) -> Figures:
    """The runs are dealt out as clients become free."""
    each_s: list[float] = []
    errors: list[str] = []
    due = iter(range(runs))

    async def work(client: AsyncOpenAI, assistant_id: str) -> None:
        for _ in due:
            started = time.perf_counter()
            try:
                answer = await ask(client, assistant_id, task.question)
            except OpenAIError as error:
                answer = f"{type(error).__name__}: {error}"
            each_s.append(time.perf_counter() - started)
            if task.wanted not in answer:
                errors.append(answer)

    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                AsyncOpenAI(base_url=server.base_url, api_key=server.token, max_retries=0, timeout=60)
            )
            for _ in range(clients)
        ]
        assistant = await opened[0].beta.assistants.create(model="any", tools=[{"type": "code_interpreter"}])
        started = time.perf_counter()
        await asyncio.gather(*(work(client, assistant.id) for client in opened))
        took_s = time.perf_counter() - started
    return Figures(took_s=took_s, each_s=tuple(sorted(each_s)), errors=tuple(errors))


async def ask(client: AsyncOpenAI, assistant_id: str, question: str) -> str:
    """The answer, or how the run ended."""
    thread: Any = {"messages": [{"role": "user", "content": question}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=assistant_id, thread=thread)
    if run.status != "completed":
        return f"{run.status}: {run.last_error}"
    messages = await client.beta.threads.messages.list(run.thread_id, run_id=run.id)
    return " ".join(part.text.value for message in messages.data for part in message.content if part.type == "text")


if __name__ == "__main__":
    main()
