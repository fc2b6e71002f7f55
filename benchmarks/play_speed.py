"""How fast is `play` beside the least that could be done? Against a stub that answers in 100 ms, whole processes.

Three shapes: 200 scenarios, 20 at a time; 2,000 at 50; 50 conversations of 4 turns at 20. Beside each runs a bare loop
over the official client, and each of pydantic-evals, inspect_ai and promptfoo that is installed. Prints seconds, the
ratio to the loop, CPU ms a question and the peak memory of the biggest process; the stub's requests are counted.

Then what else is promised, each with its limit: memory for ten times the scenarios, every tenth request refused, the
time from an answer to its verdict, `validate` of 2,000 scenarios, and two dask workers beside one process: for answers
of a line, and for answers of a page with five checks each, which one process judges in processes beside it, too.

`python benchmarks/play_speed.py [PART ...]`: shapes as they are printed, and `memory refusals verdicts validate dask`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

THINKING_S = 0.1
TIMES = 3
KEY = "a-key-of-the-stub"
SHAPES = ("200x1@20", "2000x1@50", "50x4@20")
REFUSING = "/refusing"
"""Behind the address of the stub: every tenth request is answered 429 there."""
LONG = "/long"
"""The same: answers have a page there."""
PAGES = "".join(
    f"Booking A-{table:03}: dinner for two at table {table}, {table} starters at 12.50 and a bottle at 31.00, "
    "paid on 4 March 2026.\n"
    for table in range(50)
)
_ids = count(1)


@dataclass(frozen=True)
class Shape:
    """So many scenarios of so many turns, so many at a time."""

    scenarios: int
    turns: int
    jobs: int

    @property
    def floor_s(self) -> float:
        return -(-self.scenarios // self.jobs) * self.turns * THINKING_S


def main() -> None:
    match sys.argv[1:]:
        case ["stub"]:
            asyncio.run(serve())
        case [("raw" | "pydantic_evals" | "inspect_ai") as rival, text]:
            {"raw": ask_bare, "pydantic_evals": ask_with_pydantic_evals, "inspect_ai": ask_with_inspect_ai}[rival](
                read_shape(text)
            )
        case parts:
            with compiled():
                for part in parts or (*SHAPES, *PROMISES):
                    if part in PROMISES:
                        PROMISES[part]()
                    else:
                        compare(part)


@contextmanager
def compiled() -> Iterator[None]:
    """Python keeps what it has compiled, as it does of what is installed, also where the environment forbids it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        shape = Shape(1, 1, 1)
        with project_of(shape) as (project, environment):
            run(play_command(shape), project, environment)
        yield


def read_shape(text: str) -> Shape:
    scenarios, _, rest = text.partition("x")
    turns, _, jobs = rest.partition("@")
    return Shape(int(scenarios), int(turns), int(jobs))


def compare(text: str) -> None:
    shape = read_shape(text)
    print(f"{text}: floor {shape.floor_s:.1f} s")
    with project_of(shape) as (folder, environment):
        this = [sys.executable, __file__]
        commands = {"raw AsyncOpenAI loop": [*this, "raw", text], "runner play": play_command(shape)}
        if shape.turns == 1:
            commands |= {name: [*this, name, text] for name in ("pydantic_evals", "inspect_ai") if find_spec(name)}
        if shutil.which("promptfoo") and shape.turns == 1:
            commands["promptfoo"] = make_promptfoo(folder, shape)
        bare_s = None
        for name, command in commands.items():
            bare_s = show(name, command, folder, environment, shape, bare_s)


@contextmanager
def project_of(shape: Shape, *, behind: str = "") -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with so many scenarios, and the environment in which they are played against a stub.

    `behind` its address is REFUSING or LONG.
    """
    with tempfile.TemporaryDirectory() as folder, stub() as base_url:
        urls = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY, "BENCH_KEY": KEY}
        make_project(Path(folder), shape, f"{base_url}{behind}")
        yield Path(folder), {**os.environ, **urls}


def play_command(shape: Shape, *options: str) -> list[str]:
    return [sys.executable, "-m", "runner", "play", "-q", "-n", str(shape.jobs), *options]


def show(
    name: str, command: list[str], folder: Path, environment: Mapping[str, str], shape: Shape, bare_s: float | None
) -> float:
    """Prints the quickest of several runs. Returns its seconds, or those of the bare loop if there were any."""
    best = min(run(command, folder, environment) for _ in range(TIMES))
    wall_s, cpu_s, peak_mib, requests = best
    questions = shape.scenarios * shape.turns
    ratio = f"{wall_s / bare_s:4.2f} x the loop, " if bare_s else ""
    print(
        f"  {name:22} {wall_s:6.2f} s, {ratio}{wall_s / shape.floor_s:4.2f} x the floor, "
        f"{cpu_s / questions * 1000:5.2f} ms CPU a question, {peak_mib:4.0f} MiB, {requests} requests"
    )
    return bare_s or wall_s


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, float, float, int]:
    """Seconds, CPU seconds, peak MiB and requests of one process."""
    before = count_requests(environment["OPENAI_BASE_URL"])
    with (folder / "output.txt").open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} exited {process.returncode}: {(folder / 'output.txt').read_text()[-2000:]}")
    requests = count_requests(environment["OPENAI_BASE_URL"]) - before
    return wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, requests


def make_project(folder: Path, shape: Shape, base_url: str) -> None:
    (folder / "scenarios").mkdir()
    (folder / "assistants.yaml").write_text(
        "version: 1\nnamespace: bench-000000\ntarget: stub\n"
        f"targets:\n  stub: {{api: responses, base_url: '{base_url}', key_env: BENCH_KEY}}\n"
        "assistants:\n  guide: {name: Guide, model: gpt-6-luna}\n"
    )
    others = "{{contains: starters}}, {{not_contains: [guarantee, promise]}}, {{date: 2026-03-04}}, "
    others += "{{numbers: [12.5, 31]}}, "
    checks = (others if LONG in base_url else "") + "{{number: {number}}}"
    turn = f"      - ask: What is {{number}} times 1?\n        expect: [{checks}]\n"
    cases = "".join(
        f"  - name: scenario {number}\n    turns:\n{turn.format(number=number) * shape.turns}"
        for number in range(shape.scenarios)
    )
    (folder / "scenarios" / "many.yaml").write_text(f"defaults: {{assistant: guide}}\nscenarios:\n{cases}")


# What else is promised --------------------------------------------------------------------------------------------


def measure_memory() -> None:
    for what, write in (("rows of a file", write_cases), ("scenarios written out", lambda *_: None)):
        peaks_mib = []
        for count_ in (1_000, 10_000):
            shape = Shape(count_, 1, 50)
            with project_of(shape) as (folder, environment):
                write(folder, count_)
                peaks_mib.append(run(play_command(shape), folder, environment)[2])
        few, many = peaks_mib
        print(f"memory: {few:.0f} MiB for 1,000 {what}, {many - few:.0f} MiB more for 10,000 (limit for rows 30)")


def write_cases(folder: Path, rows: int) -> None:
    """The same scenarios, as the rows of one."""
    (folder / "scenarios" / "many.yaml").write_text(
        "assistant: guide\nname: scenario ${number}\ncases: numbers.csv\n"
        "turns:\n  - ask: What is ${number} times 1?\n    expect: [{number: '${number}'}]\n"
    )
    (folder / "scenarios" / "numbers.csv").write_text("\n".join(["number", *map(str, range(rows))]) + "\n")


def measure_refusals() -> None:
    shape, times_s = Shape(400, 1, 20), []
    for refuses in ("", REFUSING):
        with project_of(shape, behind=refuses) as (folder, environment):
            times_s.append(min(run(play_command(shape), folder, environment)[0] for _ in range(TIMES)))
    without, refused = times_s
    print(
        f"every tenth request refused: {refused:.2f} s, {refused / without:.2f} x the time without (limit 2); none lost"
    )


def measure_verdicts() -> None:
    """A scenario's time is that of its run, and what comes before and after it: so this is more than asked for.

    The first one is left out, which finds nothing open yet.
    """
    shape = Shape(100, 1, 1)
    with project_of(shape) as (folder, environment):
        run(play_command(shape, "--report", "json=report.json"), folder, environment)
        report = json.loads((folder / "report.json").read_text())
    attempts = [one["attempts"][0] for one in report["scenarios"][1:]]
    around_ms = sorted(1000 * (one["duration_s"] - one["turns"][0]["run"]["duration_s"]) for one in attempts)
    middle, most = around_ms[len(around_ms) // 2], around_ms[-1]
    print(f"from an answer to its verdict: {middle:.0f} ms, {most:.0f} ms at most (limit 20)")


def measure_validation() -> None:
    shape = Shape(2_000, 1, 1)
    with project_of(shape) as (folder, environment):
        command = [sys.executable, "-m", "runner", "validate"]
        wall_s, cpu_s, *_ = min(run(command, folder, environment) for _ in range(TIMES))
    print(f"validate of 2,000 scenarios: {wall_s:.2f} s, {cpu_s:.2f} s of CPU (limit 1.5 s)")


def measure_dask() -> None:
    """Starting up is taken out by playing two sizes."""
    if not find_spec("distributed"):
        print("dask: not installed")
        return
    kinds = (("of a line", "", 200, (500, 4_500)), ("of a page", LONG, 50, (100, 500)))
    for what, behind, jobs, sizes in kinds:
        rates, cpu_ms = {}, {}
        for engine in ((), ("--engine", "dask")):
            took: list[tuple[float, float]] = []
            for size in sizes:
                shape = Shape(size, 1, jobs)
                with project_of(shape, behind=behind) as (folder, environment):
                    took.append(run(play_command(shape, *engine), folder, environment)[:2])
            (few_s, few_cpu_s), (many_s, many_cpu_s) = took
            more = sizes[1] - sizes[0]
            rates[bool(engine)] = more / (many_s - few_s)
            cpu_ms[bool(engine)] = (many_cpu_s - few_cpu_s) / more * 1000
            name = "two dask workers" if engine else "one process"
            print(
                f"{name:17} {rates[bool(engine)]:5.0f} scenarios a second, {cpu_ms[bool(engine)]:.2f} ms CPU each in "
                f"all processes; {few_s:.1f} s for {sizes[0]}"
            )
        print(
            f"dask, answers {what}: {rates[True] / rates[False]:.2f} x the throughput (limit 1.8); by its CPU, two "
            f"of its own have room for {2 * cpu_ms[False] / cpu_ms[True]:.2f} x"
        )


PROMISES = {
    "memory": measure_memory,
    "refusals": measure_refusals,
    "verdicts": measure_verdicts,
    "validate": measure_validation,
    "dask": measure_dask,
}


# The stub ---------------------------------------------------------------------------------------------------------


@contextmanager
def stub() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, "stub"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def count_requests(base_url: str) -> int:
    with urlopen(f"{base_url}/requests") as answer:
        return int(json.load(answer)["requests"])


async def serve() -> None:
    server = await asyncio.start_server(Connection().talk, "127.0.0.1", 0, backlog=1000)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


REFUSAL = "application/json", b'{"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}'


class Connection:
    """All connections of the stub: it speaks as much HTTP and as much of both APIs as its clients need."""

    def __init__(self) -> None:
        self.requests = 0
        self._refusable = count(1)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = head.partition("content-length: ")[2].partition("\r\n")[0]
                body = json.loads(await reader.readexactly(int(length))) if length and int(length) else {}
                method, path = head.split(" ", 2)[:2]
                status = "429 Too Many" if REFUSING in path and next(self._refusable) % 10 == 0 else "200 OK"
                kind, content = REFUSAL if status[0] == "4" else await self.answer(method, path, body)
                writer.write(
                    f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n".encode()
                )
                writer.write(content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[str, bytes]:
        if path.endswith("/requests"):
            return "application/json", json.dumps({"requests": self.requests}).encode()
        self.requests += 1
        if method == "delete":
            return "application/json", b'{"deleted": true}'
        if path.endswith("/conversations"):
            return "application/json", json.dumps({"id": f"conv_{next(_ids)}", "object": "conversation"}).encode()
        if method == "get":
            return "application/json", b'{"object": "list", "data": [], "has_more": false}'
        await asyncio.sleep(THINKING_S)
        asked = json.dumps(body.get("messages") or body["input"])
        number = "".join(one for one in asked.partition("What is ")[2].partition(" ")[0] if one.isdigit())
        text = f"{PAGES if LONG in path else ''}It is {number}."
        if path.endswith("/chat/completions"):
            return "application/json", json.dumps(completion(text)).encode()
        whole = response(text)
        if not body.get("stream"):
            return "application/json", json.dumps(whole).encode()
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        events = ({"type": "response.created", "response": begun}, {"type": "response.completed", "response": whole})
        lines = (f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
        return "text/event-stream", "".join(lines).encode()


def response(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }
    base = {"id": f"resp_{next(_ids)}", "object": "response", "created_at": 1, "model": "gpt-6-luna", "error": None}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "incomplete_details": None}
    return {**base, **rest, "status": "completed", "output": [message], "usage": usage}


def completion(text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    base = {"id": f"chatcmpl_{next(_ids)}", "object": "chat.completion", "created": 1, "model": "gpt-6-luna"}
    return {**base, "choices": [choice], "usage": usage}


# What it is compared with -----------------------------------------------------------------------------------------


def ask_bare(shape: Shape) -> None:
    """What somebody would write who needs nothing else: each answer is asked for, read, and looked at."""
    from openai import AsyncOpenAI

    async def ask_all() -> None:
        places = asyncio.Semaphore(shape.jobs)
        async with AsyncOpenAI(max_retries=0) as client:

            async def converse(number: int) -> None:
                before = None
                async with places:
                    for _ in range(shape.turns):
                        answer = await client.responses.create(
                            model="gpt-6-luna", input=f"What is {number} times 1?", previous_response_id=before
                        )
                        before = answer.id
                        assert f"is {number}." in answer.output_text

            await asyncio.gather(*map(converse, range(shape.scenarios)))

    asyncio.run(ask_all())


def ask_with_pydantic_evals(shape: Shape) -> None:
    from openai import AsyncOpenAI
    from pydantic_evals import Case, Dataset
    from pydantic_evals.evaluators import Contains

    client = AsyncOpenAI(max_retries=0)

    async def ask(question: str) -> str:
        return (await client.responses.create(model="gpt-6-luna", input=question)).output_text

    cases = [
        Case(name=f"case {number}", inputs=f"What is {number} times 1?", evaluators=(Contains(value=f"is {number}."),))
        for number in range(shape.scenarios)
    ]
    report = Dataset(name="bench", cases=cases).evaluate_sync(ask, max_concurrency=shape.jobs, progress=False)
    assert len(report.cases) == shape.scenarios


def ask_with_inspect_ai(shape: Shape) -> None:
    from inspect_ai import Task, eval  # noqa: A004 - its name
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import includes

    samples = [Sample(input=f"What is {number} times 1?", target=f"is {number}.") for number in range(shape.scenarios)]
    (log,) = eval(
        Task(dataset=samples, scorer=includes()),
        model="openai/gpt-6-luna",
        max_connections=shape.jobs,
        max_samples=shape.jobs,
        display="none",
        log_dir="inspect",
    )
    assert log.status == "success", log.error


def make_promptfoo(folder: Path, shape: Shape) -> list[str]:
    tests = [
        {"vars": {"number": str(number)}, "assert": [{"type": "contains", "value": f"is {number}."}]}
        for number in range(shape.scenarios)
    ]
    suite = {"prompts": ["What is {{number}} times 1?"], "providers": ["openai:chat:gpt-6-luna"], "tests": tests}
    (folder / "promptfoo.json").write_text(json.dumps(suite))
    options = ["--no-cache", "--no-table", "--no-progress-bar", "-j", str(shape.jobs)]
    return ["promptfoo", "eval", "-c", "promptfoo.json", *options]


if __name__ == "__main__":
    main()
