"""The Agents face's answers, held against JSON Schemas of the types in OpenAI's SDK."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jsonschema_rs
from openai.types.beta import Agent, AgentDeleted, AgentSession, AgentSessionDeleted, AgentSessionEvent
from openai.types.beta.agent_session_item import AgentSessionItem
from openai.types.beta.agents import EnvironmentInfo
from openai.types.beta.agents.environments import EnvironmentFile
from openai.types.beta.agents.sessions import SessionArtifact, SessionArtifactDeleted, Turn
from pydantic import TypeAdapter

_KINDS: dict[str, Any] = {
    r"/agents/sessions(/[^/]+)?": AgentSession,
    r"/agents/sessions/[^/]+/turns(/[^/]+)?": Turn,
    r"/agents/sessions/[^/]+(/turns/[^/]+)?/items": AgentSessionItem,
    r"/agents/sessions/[^/]+/artifacts(/[^/]+)?": SessionArtifact,
    r"/agents/environments/[^/]+": EnvironmentInfo,
    r"/agents/environments/[^/]+/files": EnvironmentFile,
    r"/agents(/[^/]+)?": Agent,
}
_DELETED = {AgentSession: AgentSessionDeleted, Agent: AgentDeleted, SessionArtifact: SessionArtifactDeleted}


def check_answer(method: str, path: str, body: Any) -> None:
    """A successful answer with a body."""
    kind = next(kind for pattern, kind in _KINDS.items() if re.fullmatch(pattern, path))
    if method == "DELETE":
        _validator(_DELETED[kind]).validate(body)
    elif body["object"] == "list":
        assert isinstance(body["has_more"], bool)
        for one in body["data"]:
            _validator(kind).validate(one)
    else:
        _validator(kind).validate(body)


def check_event(name: str, body: Any) -> None:
    assert body["type"] == name, f"the event {name!r} calls itself {body['type']!r}"
    _validator(AgentSessionEvent).validate(body)


@cache
def _validator(kind: Any) -> Any:
    return jsonschema_rs.validator_for(TypeAdapter(kind).json_schema(by_alias=True))
