"""A play in which every run ends another way, by a script: each comes out as the one thing that it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from verbs import run_verb

from runner.server.inference import FAILURE_CODES

PASSED, FAILED, ERRORED = "passed", "failed", "errored"
WAYS: dict[str, tuple[list, str]] = {
    "answers": ([{"say": "ok"}], PASSED),
    "is slow": ([{"wait": 0.2}, {"say": ["o", "k"]}], PASSED),
    "costs nobody knows what": ([{"say": "ok", "tokens": "unknown"}], PASSED),
    "is wrong": ([{"say": "no"}], FAILED),
    "refuses": ([{"refuse": "I would rather not."}], FAILED),
    "is empty": ([{"say": ""}], ERRORED),
    "declines": ([{"say": {"text": "ok, but no", "declined": True}}], ERRORED),
    "stays in progress": ([{"stay": "in_progress"}], ERRORED),
    "stays queued": ([{"stay": "queued"}], ERRORED),
    "says the half and stops": ([{"say": {"text": ["o", "k"], "pause": 1000}}], ERRORED),
    "expires": (["expire"], ERRORED),
    "calls what there is not": ([{"call": {"nobody": {}}}, {"say": "ok"}], ERRORED),
    # The model is told of its mistake, and goes on.
    "calls with no JSON": ([{"call": {"look_up": "{broken"}}, {"say": "ok"}], PASSED),
    "calls against the schema": ([{"call": {"look_up": {"city": 7}}}, {"say": "ok"}], PASSED),
    **{f"fails with {code}": ([{"fail": code}], ERRORED) for code in FAILURE_CODES},
    **{
        f"breaks off by {reason}": ([{"incomplete": {"reason": reason, "text": "ok"}}], ERRORED)
        for reason in ("max_completion_tokens", "max_prompt_tokens", "content_filter")
    },
}
STUCK = ("stays in progress", "stays queued", "says the half and stops")
LOOK_UP = {
    "name": "look_up",
    "returns": "{}",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def write_project(folder: Path, api: str) -> None:
    scripts = [{"question": {"matches": f"^{way}$"}, "moves": moves} for way, (moves, _) in WAYS.items()]
    scenarios = [
        {
            "name": way,
            # A limit of requests is waited out, unless there is no time for it.
            "timeout": 1 if way in STUCK else 8,
            "turns": [{"ask": way, "expect": [{"contains": "ok"}]}],
        }
        for way in WAYS
    ]
    target = {"api": api, "server": "embedded", "inference": {"scripted": "moves.yaml"}}
    project = {
        "version": 1,
        "namespace": "every-ending",
        "target": "scripted",
        "targets": {"scripted": target},
        "assistants": {"a": {"name": "A", "model": "m", "functions": [LOOK_UP]}},
    }
    (folder / "scenarios").mkdir()
    written = {
        "assistants.yaml": project,
        "moves.yaml": {"scripts": scripts},
        "scenarios/all.yaml": {"defaults": {"assistant": "a"}, "scenarios": scenarios},
    }
    for name, content in written.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("api", ["responses", "assistants"])
def test_each_way_a_run_can_end_comes_out_as_what_it_is(tmp_path: Path, api: str) -> None:
    write_project(tmp_path, api)
    done = run_verb("play", "--jobs", "12", "--report", "json=report.json", cwd=tmp_path, environment=os.environ)

    assert done.code == 1, done.err
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    found = {one["name"]: one["outcome"] for one in report["scenarios"]}
    assert found == {way: outcome for way, (_, outcome) in WAYS.items()}
