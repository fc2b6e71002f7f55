"""A Responses server on loopback that answers at once, and remembers who was asked how often."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wire_server import Seen, refusal, reply, wire_server

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

    def answer(self, request: Seen) -> Iterator[bytes | float]:
        if (request.method, request.path) != ("POST", "/responses"):
            yield from reply({"object": "list", "data": [], "has_more": False})
            return
        question = request.json["input"][-1]["content"]
        text = question if isinstance(question, str) else question[0]["text"]
        self.requests += 1
        if self.refuses and self.requests % self.refuses == 0:
            yield from refusal(429, "Slow down.", "rate_limit_exceeded")
            return
        self.asked[text] += 1
        yield self.latency_s
        events = "".join(
            f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in _events(f"resp_{self.requests}", text)
        )
        yield from reply(events, content_type="text/event-stream")
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


@asynccontextmanager
async def counting_server(**settings: float) -> AsyncIterator[CountingServer]:
    server = CountingServer(**settings)  # type: ignore[arg-type]
    async with wire_server(server.answer) as wire:
        server.url = wire.url
        yield server
