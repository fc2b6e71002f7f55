"""Objects of Assistants v2 as a server would send them, with what a test wants to be different."""

from __future__ import annotations

from runner.backends import Deployment, Question
from runner.domain.assistant import Address, Answering, Assistant, Function
from runner.domain.conversation import AssistantId
from runner.errors import Location

HERE = Location("assistants.yaml", 1, 1)
GUIDE = Assistant(address=Address("travel-guide"), location=HERE, name="Travel Guide", model="gpt-6-luna")
DEPLOYED = Deployment(assistant=GUIDE, assistant_id=AssistantId("asst_1"))


def question(**fields) -> Question:
    return Question(**{"deployment": DEPLOYED, "text": "How much?", "thread_id": None, **fields})


def function(name: str = "rate", **fields) -> Function:
    """A declared function that takes a currency and returns 1."""
    parameters = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    answering = Answering(kind="returns", settings={"value": 1}, location=HERE)
    return Function(**{"name": name, "parameters": parameters, "answering": answering, "location": HERE, **fields})


def waiting(*calls: tuple[str, str, str], **fields) -> dict:
    """A run that waits for functions: (call id, name, arguments) of each call."""
    asked = [{"id": id, "type": "function", "function": {"name": name, "arguments": text}} for id, name, text in calls]
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": asked}}
    return run("requires_action", required_action=action, **fields)


def assistant(**fields) -> dict:
    return {"id": "asst_1", "object": "assistant", "created_at": 7, "name": "Travel Guide", "model": "m", **fields}


def run(status: str = "completed", **fields) -> dict:
    base = {"id": "run_1", "object": "thread.run", "created_at": 7, "thread_id": "thread_1", "assistant_id": "asst_1"}
    return {**base, "status": status, "model": "gpt-6-luna", **fields}


def message(text: str = "It is 39.25.", annotations: list | None = None, **fields) -> dict:
    content = [{"type": "text", "text": {"value": text, "annotations": annotations or []}}]
    base = {"id": "msg_1", "object": "thread.message", "created_at": 8, "run_id": "run_1", "role": "assistant"}
    return {**base, "content": content, "metadata": {}, **fields}


def step(*calls: dict, **fields) -> dict:
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return {"id": "step_1", "created_at": 8, "status": "completed", "step_details": details, **fields}


def page(*rows: dict, has_more: bool = False) -> dict:
    ids = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
    return {"object": "list", "data": list(rows), "has_more": has_more, **ids}
