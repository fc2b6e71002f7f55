"""/v1/batches and completion windows on the embedded server, by the official SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI
from openai.types import Batch
from openai.types.batch_create_params import BatchCreateParams
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter
from sdk_client import sdk_client

from runner.server.embedded import start_embedded
from runner.server.engine.core import Lifetimes
from runner.server.faces.responses_api import responses
from runner.server.faces.responses_api.input import InlineFiles
from runner.server.faces.responses_api.orders import Wanted, read_order
from runner.server.inference.scripted import create as create_scripted
from runner.server.wire.fields import Fields, Json

MOVES = """
scripts:
  - {question: {contains: slow}, moves: [{stay: in_progress}]}
  - {question: {contains: later}, moves: [{wait: 0.3}, {say: Late.}]}
  - {question: any, moves: [{say: Done., tokens: {input: 5, output: 2}}]}
"""


@asynccontextmanager
async def serve(folder: Path) -> AsyncIterator[AsyncOpenAI]:
    path = folder / "moves.yaml"
    path.write_text(MOVES, "utf-8")
    inference = create_scripted({"script": str(path)})
    async with (
        start_embedded(folder / "state", inference, lifetimes=Lifetimes(lease_s=0.4)) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


def line(custom_id: str, **body: object) -> dict:
    whole = {"model": "m", "input": "Hello", **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": whole}


async def begin(client: AsyncOpenAI, *lines: object, **more: object) -> Batch:
    content = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    file = await client.files.create(file=("in.jsonl", content.encode()), purpose="batch")
    order = {"input_file_id": file.id, "endpoint": "/v1/responses", "completion_window": "24h", **more}
    TypeAdapter(BatchCreateParams).validate_python(order)
    return await client.batches.create(**order)


async def ended(client: AsyncOpenAI, batch: Batch) -> Batch:
    async with asyncio.timeout(10):
        while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
    return batch


async def rows(client: AsyncOpenAI, file_id: str | None) -> dict[str, dict]:
    if file_id is None:
        return {}
    text = (await client.files.content(file_id)).text
    return {row["custom_id"]: row for row in map(json.loads, text.splitlines())}


async def test_a_batch_carries_out_each_request_and_tells_what_it_came_to(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        batch = await begin(client, line("a"), line("b", temperature=9), line("c"), metadata={"play": "7"})
        over = await ended(client, batch)
        outputs, errors = await rows(client, over.output_file_id), await rows(client, over.error_file_id)
        file = await client.files.retrieve(over.output_file_id or "")
        first = await client.responses.retrieve(outputs["a"]["response"]["body"]["id"])
        listed = await client.batches.list(limit=1)

    assert (batch.status, batch.output_file_id) == ("validating", None)
    assert (over.status, over.model, over.metadata) == ("completed", "m", {"play": "7"})
    assert over.request_counts.model_dump() == {"completed": 2, "failed": 1, "total": 3}
    assert (over.usage.input_tokens, over.usage.output_tokens) == (10, 4)
    assert None not in (over.in_progress_at, over.finalizing_at, over.completed_at)
    assert set(outputs) == {"a", "c"}
    answer = Response.model_validate(outputs["a"]["response"]["body"])
    assert (answer.output_text, first.output_text) == ("Done.", "Done.")
    assert outputs["a"]["response"]["request_id"].startswith("req_")
    assert outputs["a"]["error"] is None
    assert errors["b"]["response"]["status_code"] == 400
    assert errors["b"]["response"]["body"]["error"]["param"] == "temperature"
    assert file.purpose == "batch_output"
    assert [one.id for one in listed.data] == [over.id]


async def test_a_bug_met_by_one_request_is_not_the_batchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_badly(inline: InlineFiles, body: Fields, shown: Json) -> Wanted:
        assert body.values["input"] != "trip"
        return await read_order(inline, body, shown)

    monkeypatch.setattr(responses, "read_order", read_badly)
    async with serve(tmp_path) as client:
        over = await ended(client, await begin(client, line("a", input="trip"), line("b")))
        outputs, errors = await rows(client, over.output_file_id), await rows(client, over.error_file_id)

    assert (over.status, set(outputs), set(errors)) == ("completed", {"b"}, {"a"})
    assert errors["a"]["response"]["status_code"] == 500
    assert errors["a"]["response"]["body"]["error"]["type"] == "server_error"


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([""], "empty_file", None),
        ([line("a"), "{"], "invalid_json_line", 2),
        (["[]"], "missing_required_parameter", 1),
        ([{**line("a"), "custom_id": 7}], "missing_required_parameter", 1),
        ([line("a"), line("a")], "duplicate_custom_id", 2),
        ([line("a"), line("b", model="other")], "mismatched_model", 2),
        ([{**line("a"), "url": "/v1/embeddings"}], "mismatched_url", 1),
        ([{**line("a"), "method": "GET"}], "invalid_method", 1),
        ([line("a", stream=True)], "invalid_value", 1),
    ],
)
async def test_a_file_with_mistakes_fails_its_batch_before_anything_is_asked(
    tmp_path: Path, lines: list, code: str, number: int | None
) -> None:
    async with serve(tmp_path) as client:
        over = await ended(client, await begin(client, *lines))

    assert over.status == "failed"
    assert [(one.code, one.line) for one in over.errors.data] == [(code, number)]
    assert over.request_counts.total == 0


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "output_expires_after.seconds"),
        ({"priority": 1}, "priority"),
    ],
)
async def test_what_no_batch_can_be_is_refused_by_name(tmp_path: Path, changed: dict, param: str) -> None:
    async with serve(tmp_path) as client:
        file = await client.files.create(file=("in.jsonl", b"{}"), purpose="batch")
        order = {"input_file_id": file.id, "endpoint": "/v1/responses", "completion_window": "24h", **changed}
        with pytest.raises(openai.BadRequestError) as caught:
            await client.post("/batches", cast_to=object, body=order)

    assert caught.value.param == param


async def test_a_file_of_another_purpose_is_refused(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        file = await client.files.create(file=("in.jsonl", b"{}"), purpose="user_data")
        with pytest.raises(openai.BadRequestError, match="must be 'batch'"):
            await client.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")


async def test_a_batch_that_is_cancelled_keeps_what_was_answered(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        batch = await begin(client, line("quick"), line("stuck", input="slow"))
        while batch.request_counts.completed == 0:
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
        cancelling = await client.batches.cancel(batch.id)
        over = await ended(client, cancelling)
        outputs, errors = await rows(client, over.output_file_id), await rows(client, over.error_file_id)
        with pytest.raises(openai.BadRequestError, match="status 'cancelled'"):
            await client.batches.cancel(batch.id)

    assert (cancelling.status, over.status) == ("cancelling", "cancelled")
    assert set(outputs) == {"quick"}
    assert errors["stuck"]["error"]["code"] == "batch_cancelled"
    assert errors["stuck"]["response"] is None


@pytest.mark.slow
async def test_the_next_server_goes_on_with_a_batch_that_the_last_one_left(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        batch = await begin(client, line("now"), line("then", input="later"))
        while batch.request_counts.completed == 0:
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
    async with serve(tmp_path) as client:
        over = await ended(client, batch)
        outputs = await rows(client, over.output_file_id)

    assert over.request_counts.model_dump() == {"completed": 2, "failed": 0, "total": 2}
    assert set(outputs) == {"now", "then"}


async def test_a_response_with_a_completion_window_is_polled_for(tmp_path: Path) -> None:
    wanted = {"model": "m", "input": "Hello", "background": True, "background_options": {"completion_window": "8h"}}
    TypeAdapter(ResponseCreateParamsNonStreaming).validate_python(wanted)
    async with serve(tmp_path) as client:
        response = begun = await client.responses.create(**wanted)
        while response.status in ("queued", "in_progress"):
            await asyncio.sleep(0.02)
            response = await client.responses.retrieve(begun.id)

    assert (begun.status, response.output_text) == ("queued", "Done.")


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"background_options": {"completion_window": "2h"}}, "background_options.completion_window"),
        (
            {"background": True, "stream": True, "background_options": {"completion_window": "2h"}},
            "background_options.completion_window",
        ),
        (
            {"background": True, "background_options": {"completion_window": "1h"}},
            "background_options.completion_window",
        ),
        ({"background": True, "background_options": {"window": "2h"}}, "background_options.window"),
        (
            {"background": True, "service_tier": "flex", "background_options": {"completion_window": "2h"}},
            "service_tier",
        ),
    ],
)
async def test_a_completion_window_goes_with_the_background_alone(tmp_path: Path, wanted: dict, param: str) -> None:
    async with serve(tmp_path) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="m", input="Hello", **wanted)

    assert caught.value.param == param
