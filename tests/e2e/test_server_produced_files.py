"""A file that code writes on the embedded server, as the official SDK sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdk_client import sdk_client

from runner.errors import UsageError
from runner.server.embedded import start_embedded
from runner.server.inference import Answer, Scene, ToolRequest, Turnout, UseTools

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

CODE = """
import csv
with open('/mnt/data/shares.csv', 'w') as f:
    csv.writer(f).writerow(['Ann', '12.50'])
"""


class Bookkeeper:
    """Writes a file with code, and points to it."""

    name = "bookkeeper"

    async def decide(self, scene: Scene) -> Turnout:
        if not scene.outcomes:
            request = ToolRequest(tool="code_interpreter", arguments={"code": CODE})
            return Turnout(move=UseTools(requests=(request,)))
        return Turnout(move=Answer(text="See [the shares](sandbox:/mnt/data/shares.csv)."))


async def test_a_file_that_code_wrote_is_annotated_and_downloaded(tmp_path: Path) -> None:
    async with (
        start_embedded(tmp_path, Bookkeeper()) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        tools = [{"type": "code_interpreter"}]
        assistant = await client.beta.assistants.create(model="any", tools=tools)
        thread = {"messages": [{"role": "user", "content": "Write the shares down"}]}
        run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
        reply = await client.beta.threads.messages.with_raw_response.list(run.thread_id, run_id=run.id)
        text = reply.parse().data[0].content[0].text
        (annotation,) = text.annotations
        file = await client.files.retrieve(annotation.file_path.file_id)
        content = await client.files.content(file.id)
        listed = await client.files.list(purpose="assistants_output")

    assert annotation.type == "file_path"
    assert text.value[annotation.start_index : annotation.end_index] == annotation.text
    assert annotation.text == "sandbox:/mnt/data/shares.csv"
    assert (file.filename, file.purpose, file.bytes) == ("shares.csv", "assistants_output", 11)
    assert content.text.split() == ["Ann,12.50"]
    assert [one.id for one in listed.data] == [file.id]
    assert reply.headers["x-runner-sandbox"] == "monty"


async def test_a_server_whose_sandbox_is_not_there_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown sandbox 'docker'"):
        async with start_embedded(tmp_path, Bookkeeper(), sandbox="docker"):
            raise AssertionError("it started")
