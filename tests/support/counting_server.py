"""A Responses server on loopback that answers at once, and remembers who was asked how often."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = """
version: 1
namespace: counted-000001
target: counting
targets:
  counting: {{api: responses, base_url: '{url}', key_env: COUNTING_KEY}}
assistants:
  guide: {{model: gpt-6-luna}}
"""


@dataclass
class CountingServer:
    """`asked` counts by question, `answered` those whose whole answer was sent. Each answer takes `latency_s`.

    Questions with "fail" in them are answered wrongly; every `refuses`-th is told 429.
    """

    latency_s: float = 0.02
    refuses: int = 0
    url: str = ""
    requests: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    def make_project(self, folder: Path, scenarios: int) -> None:
        """Of so many one-turn scenarios each tenth fails."""
        folder.mkdir(parents=True)
        (folder / "assistants.yaml").write_text(PROJECT.format(url=self.url))
        (folder / "scenarios").mkdir()
        names = [f"s{number:04}{' fail' if number % 10 == 0 else ''}" for number in range(scenarios)]
        cases = "".join(
            f"  - {{name: {name}, turns: [{{ask: {name}, expect: [contains: right]}}]}}\n" for name in names
        )
        (folder / "scenarios" / "many.yaml").write_text(f"defaults: {{assistant: guide}}\nscenarios:\n{cases}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
                )
                body = await reader.readexactly(length)
                await self._answer(head.decode(), body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if not head.startswith("POST /v1/responses "):
            _send(writer, b'{"object": "list", "data": [], "has_more": false}', "application/json")
            return
        question = json.loads(body)["input"][-1]["content"]
        text = question if isinstance(question, str) else question[0]["text"]
        self.requests += 1
        if self.refuses and self.requests % self.refuses == 0:
            error = b'{"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}}'
            _send(writer, error, "application/json", status=429)
            return
        self.asked[text] += 1
        await asyncio.sleep(self.latency_s)
        events = "".join(
            f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in _events(f"resp_{self.requests}", text)
        )
        _send(writer, events.encode(), "text/event-stream")
        await writer.drain()
        self.answered[text] += 1


def _events(response_id: str, text: str) -> list[dict[str, object]]:
    said = "nonsense" if "fail" in text else "right"
    content = [{"type": "output_text", "text": said, "annotations": []}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    response = {"id": response_id, "object": "response", "created_at": 1, "model": "gpt-6-luna", "error": None}
    usage = {"input_tokens": 90, "output_tokens": 10, "total_tokens": 100}
    done = {**response, "status": "completed", "output": [message], "usage": usage}
    begun = {**response, "status": "in_progress", "output": []}
    return [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.completed", "sequence_number": 1, "response": done},
    ]


def _send(writer: asyncio.StreamWriter, body: bytes, kind: str, *, status: int = 200) -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


@asynccontextmanager
async def counting_server(**settings: float) -> AsyncIterator[CountingServer]:
    server = CountingServer(**settings)  # type: ignore[arg-type]
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
