"""A model that works on one run at a time: who waits for it is queued, and waits on nobody's own time."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from sdk_client import sdk_client
from verbs import run_verb
from wire_server import reply, wire_server

from runner.server.embedded import start_embedded
from runner.server.inference.openai_compatible import create

TAKES_S = 0.5


def chat(_: object) -> list:
    message = {"role": "assistant", "content": "ok"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}
    return [TAKES_S, *reply(body, connection="close")]


async def test_a_run_stays_queued_until_the_model_has_a_slot(tmp_path: Path) -> None:
    async with (
        wire_server(chat) as endpoint,
        start_embedded(tmp_path, create({"base_url": endpoint.url, "slots": 1})) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        both = [await client.responses.create(model="m", input="Hello", background=True) for _ in range(2)]
        await endpoint.asked.wait()
        first, second = [await client.responses.retrieve(one.id) for one in both]
        while second.status in ("queued", "in_progress"):
            await asyncio.sleep(0.05)
            second_before, second = second, await client.responses.retrieve(second.id)

    assert (first.status, both[1].status) == ("in_progress", "queued")
    assert (second_before.status, second.output_text) == ("in_progress", "ok")


@pytest.mark.slow
async def test_a_scenario_does_not_wait_for_the_others_on_its_own_timeout(tmp_path: Path) -> None:
    async with wire_server(chat) as endpoint:
        inference = {"base_url": endpoint.url, "model": "m", "slots": 1}
        target = {"api": "responses", "server": "embedded", "inference": inference}
        project = {
            "version": 1,
            "namespace": "one-slot",
            "target": "local",
            "targets": {"local": target},
            "assistants": {"a": {"name": "A", "model": "m"}},
        }
        (tmp_path / "assistants.yaml").write_text(json.dumps(project), "utf-8")
        scenarios = [
            {
                "name": str(number),
                "assistant": "a",
                "timeout": 5 * TAKES_S,
                "turns": [{"ask": "Hello", "expect": [{"contains": "ok"}]}],
            }
            for number in range(8)
        ]
        (tmp_path / "scenarios").mkdir()
        (tmp_path / "scenarios/all.yaml").write_text(json.dumps({"scenarios": scenarios}), "utf-8")
        done = await asyncio.to_thread(run_verb, "play", cwd=tmp_path, environment=os.environ)

    assert done.code == 0, done.out + done.err
    assert "8 passed" in done.out
