"""Many scenarios against a server that counts: kills and --resume, shards and merge, limits, refusals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from acting_brains import Actor
from counting_server import CountingServer, counting_server
from forked_verbs import start_verb
from play_project import project_elsewhere
from verbs import Done, run_verb

from runner.server.inference import Answer, Fail, Scene, Turnout

ENVIRONMENT = {key: value for key, value in os.environ.items() if "KEY" not in key} | {"COUNTING_KEY": "a-key-of-tests"}
SCENARIOS = 200
JOBS = 10


async def run(folder: Path, *arguments: str) -> Done:
    return await asyncio.to_thread(run_verb, *arguments, cwd=folder, environment=ENVIRONMENT)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """A report as it is alike in each process that plays the same: ids and times left out."""
    text = json.dumps({**report, "scenarios": sorted(report["scenarios"], key=lambda one: one["name"])})
    kept = json.loads(text)
    for key in ("play_id", "started_at", "duration_s", "latency_s", "shard"):
        kept.pop(key, None)
    return _strip(kept)  # type: ignore[no-any-return]


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(one) for key, one in value.items() if key not in ("duration_s", "id", "thread_id")}
    return [_strip(one) for one in value] if isinstance(value, list) else value


async def kill_again_and_again(folder: Path, server: CountingServer, *, times: int, seed: int) -> None:
    """Begin a play, kill it at a random moment and go on with it, so many times; then let it come to its end."""
    random = Random(seed)
    arguments: tuple[str, ...] = ("play", "-q", "-n", str(JOBS), "--report", "json=report.json")
    for _ in range(times):
        told = sum(server.answered.values())
        process = start_verb(*arguments, cwd=folder, environment=ENVIRONMENT)
        stop_at = told + random.randint(0, 2 * SCENARIOS // (times + 1))
        while process.returncode is None and sum(server.answered.values()) < stop_at:
            await asyncio.sleep(0.002)
        process.kill()
        await process.wait()
        if (folder / ".runner" / "plays").exists():
            arguments = ("play", "-q", "-n", str(JOBS), "--report", "json=report.json", "--resume")
    done = await run(folder, *arguments)
    assert done.code == 1, done.out + done.err


def judge(server: CountingServer, report: dict[str, Any], *, kills: int) -> None:
    counts = {word: count for word, count in report["counts"].items() if count}
    assert counts == {"failed": SCENARIOS // 10, "passed": SCENARIOS - SCENARIOS // 10}
    assert len(server.asked) == SCENARIOS, "each was asked"
    assert sum(server.asked.values()) <= SCENARIOS + kills * JOBS, "only what was under way was sent again"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_p3_twenty_kills_at_random_moments_cost_only_what_was_under_way(tmp_path: Path) -> None:
    for number in range(2):
        async with counting_server() as server:
            folder = tmp_path / str(number)
            server.make_project(folder, SCENARIOS)
            await kill_again_and_again(folder, server, times=10, seed=100 + number)
            judge(server, read(folder / "report.json"), kills=10)


@pytest.mark.slow
async def test_shards_together_are_what_one_process_says(tmp_path: Path) -> None:
    async with counting_server() as server:
        folder = tmp_path / "p"
        server.make_project(folder, SCENARIOS)
        whole = await run(folder, "play", "-q", "-n", "20", "--report", "json=whole.json")
        server.asked.clear()
        for number in (1, 2, 3):
            played = await run(folder, "play", "-q", "--shard", f"{number}/3", "--report", f"json={number}.json")
            assert played.code == 1, played.err
        merged = await run(folder, "merge", "3.json", "1.json", "2.json", "-q", "--report", "json=merged.json")
        assert (whole.code, merged.code) == (1, 1), merged.err
        assert set(server.asked.values()) == {1}
    assert without_times(read(folder / "merged.json")) == without_times(read(folder / "whole.json"))
    names = [one["name"] for one in read(folder / "merged.json")["scenarios"]]
    assert names == [one["name"] for one in read(folder / "whole.json")["scenarios"]]


@pytest.mark.fault("N1")
@pytest.mark.slow
async def test_a_refusal_of_every_tenth_request_loses_no_case(tmp_path: Path) -> None:
    async with counting_server(refuses=10) as server:
        folder = tmp_path / "p"
        server.make_project(folder, 60)
        done = await run(folder, "play", "-n", "10", "--report", "json=report.json")
    report = read(folder / "report.json")
    assert (done.code, report["counts"]["passed"], report["counts"]["errored"]) == (1, 54, 0), done.out
    retried = [retry for one in report["scenarios"] for retry in one["attempts"][0]["retried"]]
    assert sum(retry["times"] for retry in retried) >= 6
    assert {retry["code"] for retry in retried} == {"too_many_requests"}
    assert "sent again: while asking 'guide'" in done.out


@pytest.mark.slow
async def test_limits_stop_with_4_say_how_to_go_on_and_runner_plays_lists_it(tmp_path: Path) -> None:
    async with counting_server() as server:
        folder = tmp_path / "p"
        server.make_project(folder, 60)
        done = await run(folder, "play", "-q", "-n", "2", "-k", "not fail", "--max-tokens", "1000")
        assert done.code == 4
        assert "stopped: --max-tokens 1000 is reached" in done.out
        (play,) = (folder / ".runner" / "plays").iterdir()
        assert f"`runner play --resume {play.name}` plays what is missing" in done.out
        listed = await run(folder, "plays")
        told = listed.out.splitlines()[1]
        assert told.startswith(f"{play.name}  20")
        assert " s  counting  -k 'not fail'  1" in told
        assert told.endswith(" of 54  can be resumed")
        again = await run(folder, "play", "--resume", "--max-time", "10m", "--max-cost", "1")
        assert (again.code, sum(server.asked.values())) == (0, 54), again.out
        assert "5,400 tokens (4,860 in, 540 out) · $" in again.out
        assert re.search(r"limits count what this play used before: 1,\d00 tokens, 0\.\d{4} USD", again.out)
        assert (await run(folder, "plays")).out.rstrip().endswith("-k 'not fail'  54 passed of 54  complete")
        in_vain = await run(folder, "play", "-q", "--max-time", "0.3", "-n", "1")
        assert in_vain.code in (1, 4), in_vain.out
        assert "--max-time is over: 0.3 s have passed" in in_vain.out


@pytest.mark.slow
async def test_two_models_side_by_side_end_in_a_table(tmp_path: Path) -> None:
    async with counting_server() as server:
        folder = tmp_path / "p"
        server.make_project(folder, 10)
        done = await run(folder, "play", "-q", "--model", "gpt-6-luna", "--model", "gpt-6-sol", "--repeat", "2")
    lines = done.out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.split()[:3] == ["passed", "rate", "tokens"])
    assert lines[head + 1].split()[:4] == ["counting/gpt-6-luna", "9", "of", "10"], done.out
    assert "pass^2 0.90" in done.out


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_local_dask_cluster_says_what_one_process_says_although_a_worker_is_killed(tmp_path: Path) -> None:
    async with counting_server(latency_s=0.1) as server:
        folder = tmp_path / "p"
        server.make_project(folder, SCENARIOS)
        whole = await run(folder, "play", "-q", "-n", "20", "--report", "json=whole.json")
        assert whole.code == 1, whole.err
        server.asked.clear()
        server.answered.clear()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runner", "play", "-q", "-n", "8", "--engine", "dask"),
            *("--report", "json=dask.json"),
            cwd=folder,
            env=ENVIRONMENT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        while process.returncode is None and sum(server.answered.values()) < SCENARIOS // 3:
            await asyncio.sleep(0.01)
        kill_a_worker_of(process.pid)
        out, _ = await process.communicate()
        assert process.returncode == 1, out.decode()
        assert len(server.asked) == SCENARIOS
        assert sum(server.asked.values()) <= SCENARIOS + 8, "what the dead worker was at was asked once more"
    assert without_times(read(folder / "dask.json")) == without_times(read(folder / "whole.json"))


def kill_a_worker_of(pid: int) -> None:
    """The first process that a nanny of this play has started."""
    os.kill(workers_of(pid)[0].pid, signal.SIGKILL)


def workers_of(pid: int) -> list[Any]:
    import psutil

    return [one for one in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]


class Stuck(Actor):
    """Says "right", but to questions with "stuck" nothing until it may."""

    def __init__(self) -> None:
        super().__init__(Answer(text="right"))
        self.may_answer = threading.Event()
        self.stuck = 0

    async def decide(self, scene: Scene) -> Turnout:
        if "stuck" in scene.messages[-1].text:
            self.stuck += 1
            while not self.may_answer.is_set():
                await asyncio.sleep(0.01)
        return await super().decide(scene)


@pytest.mark.fault("P1", "P2")
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("number", "hear", "jobs"), [(signal.SIGINT, os.killpg, 1), (signal.SIGTERM, os.kill, 1)])
async def test_a_play_on_a_cluster_that_is_told_to_end_ends_its_workers_cleans_up_and_can_go_on(
    tmp_path: Path, number: signal.Signals, hear: Callable[[int, int], None], jobs: int
) -> None:
    """Ctrl-C at a terminal goes to the workers, too; `kill` to the play alone."""
    stuck = Stuck()
    async with project_elsewhere(tmp_path, stuck) as project:
        asks = "turns: [{ask: a, expect: [contains: right]}, {ask: %s, expect: [contains: right]}]"
        names = [("fine", "b"), ("hanging", "stuck"), ("also hanging", "stuck"), ("rest", "b"), ("end", "b")]
        listed = "".join(f"  - {{name: {name}, {asks % word}}}\n" for name, word in names)
        project.write_scenario(f"defaults: {{assistant: guide}}\nscenarios:\n{listed}")
        process = await asyncio.create_subprocess_exec(
            *project.command("play", "-n", str(jobs), "--engine", "dask"),
            cwd=project.folder, env=dict(project.environment), start_new_session=True,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        while process.returncode is None and stuck.stuck < jobs:
            await asyncio.sleep(0.02)
        workers = workers_of(process.pid)
        hear(process.pid, number)
        out, err = (one.decode() for one in await process.communicate())
        left = project.count_objects()
        stuck.may_answer.set()
        again = await asyncio.to_thread(project.run, "play", "--resume")
    assert process.returncode == 128 + number, out + err
    assert err == "\nrunner: stopping; runs are cancelled and cleaned up (press again to stop at once)\n"
    assert f"1 passed, {jobs} cut off, {4 - jobs} not started" in out
    assert "left behind" not in out
    assert not any(one.is_running() and one.status() != "zombie" for one in workers)
    assert not {"thread", "run", "assistant", "vector_store", "file"} & left.keys(), left
    assert (again.code, "5 passed" in again.out) == (0, True), again.out + again.err


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_another_cluster_gets_the_files_by_their_hash_and_secrets_by_their_name(tmp_path: Path) -> None:
    import distributed

    async with counting_server() as server:
        folder = tmp_path / "p"
        server.make_project(folder, 20)
        text = (folder / "assistants.yaml").read_text()
        secret = text.replace("{model: gpt-6-luna}", "{model: gpt-6-luna, instructions: '${secret:COUNTING_KEY}'}")
        others = (
            "  told: {api: responses, server: embedded, inference: {scripted: moves.yaml}}\n"
            "  bad: {api: responses, server: embedded, faults: faults.yaml}\n"
        )
        (folder / "assistants.yaml").write_text(secret.replace("assistants:\n", f"{others}assistants:\n"))
        (folder / "moves.yaml").write_text("scripts: [{question: any, moves: [{say: a}]}]\n")
        (folder / "faults.yaml").write_text("faults: [{on: any, do: drop}]\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COUNTING_KEY", ENVIRONMENT["COUNTING_KEY"])
            patch.chdir(tmp_path)
            async with distributed.LocalCluster(
                n_workers=1,
                threads_per_worker=4,
                processes=False,
                asynchronous=True,
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                protocol="tcp",
            ) as cluster:
                done = await run(folder, "play", "-q", "--engine", f"dask={cluster.scheduler_address}")
        assert (done.code, len(server.asked)) == (1, 20), done.out + done.err


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("spark", "write dask, or dask=tcp://HOST:PORT"),
        ("dask=here", "write dask, or dask=tcp://HOST:PORT"),
    ],
)
async def test_what_is_no_engine_is_refused(tmp_path: Path, engine: str, said: str) -> None:
    async with counting_server() as server:
        server.make_project(tmp_path / "p", 1)
        done = await run(tmp_path / "p", "play", "--engine", engine)
    assert (done.code, server.requests) == (2, 0)
    assert said in done.err


async def test_the_embedded_server_is_no_target_for_a_cluster(tmp_path: Path) -> None:
    async with counting_server() as server:
        server.make_project(tmp_path / "p", 1)
        done = await run(tmp_path / "p", "play", "--engine", "dask", "--target", "embedded")
    assert done.code == 2
    assert "`runner serve` keeps one up for all workers" in done.err


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_what_a_cluster_s_worker_makes_is_in_the_play_s_journal_and_nothing_is_left(tmp_path: Path) -> None:
    import distributed

    async with project_elsewhere(tmp_path, Actor(Answer(text="right"))) as project:
        turns = "turns: [{ask: a, expect: [contains: right]}, {ask: b, expect: [contains: right]}]"
        project.write_scenario(f"assistant: guide\n{turns}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ELSEWHERE_KEY", project.environment["ELSEWHERE_KEY"])
            async with distributed.LocalCluster(
                n_workers=1, threads_per_worker=2, processes=False, asynchronous=True, dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                protocol="tcp",
            ) as cluster:  # fmt: skip
                engine = f"dask={cluster.scheduler_address}"
                done = await asyncio.to_thread(project.run, "play", "--engine", engine, "--repeat", "3")
        assert done.code == 0, done.out + done.err
        (journal,) = (project.folder / ".runner" / "plays").glob("*/journal.jsonl")
        entries = [json.loads(line) for line in journal.read_text().splitlines()]
        created = {one["id"] for one in entries if one["entry"] == "created"}
        assert len(created) >= 4, "three threads, and the copy of the assistant"
        assert created == {one["id"] for one in entries if one["entry"] == "deleted"}
        assert not {"thread", "run", "assistant"} & project.count_objects().keys()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_cluster_whose_workers_never_come_is_said_to_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distributed

    monkeypatch.setattr("runner.cli._dask.WORKER_WAIT_S", 0.2)
    async with counting_server() as server:
        server.make_project(tmp_path / "p", 1)
        async with distributed.LocalCluster(
            n_workers=0, processes=False, asynchronous=True, dashboard_address="127.0.0.1:0", protocol="tcp"
        ) as cluster:
            done = await run(tmp_path / "p", "play", "--engine", f"dask={cluster.scheduler_address}")
    assert (done.code, server.requests) == (2, 0), done.out + done.err
    assert done.err.endswith(f"--engine dask={cluster.scheduler_address}: the cluster has no worker, after 0.2 s\n")


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_what_failed_tries_on_a_cluster_have_used_counts_as_it_does_in_one_process(tmp_path: Path) -> None:
    import distributed

    spent = []
    for engine in (False, True):
        brain = Actor(Answer(text="right"), Fail(code="server_error", message="again"), Answer(text="right"))
        async with project_elsewhere(tmp_path / str(engine), brain) as project:
            turns = "turns: [{ask: a, expect: [contains: right]}, {ask: b, expect: [contains: right]}]"
            project.write_scenario(f"assistant: guide\n{turns}\n")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("ELSEWHERE_KEY", project.environment["ELSEWHERE_KEY"])
                async with distributed.LocalCluster(
                    n_workers=int(engine), threads_per_worker=2, processes=False, asynchronous=True,
                    dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0", protocol="tcp",
                ) as cluster:  # fmt: skip
                    there = ("--engine", f"dask={cluster.scheduler_address}") if engine else ()
                    done = await asyncio.to_thread(project.run, "play", *there)
            assert (done.code, "played again after server_error" in done.out) == (0, True), done.out + done.err
            (play,) = (project.folder / ".runner" / "plays").glob("*/play.json")
            spent.append(read(play)["spent"])
    here, there = spent
    assert here == there
    assert here["tokens"] == 30, "the first turn of the first try, and both of the second"
