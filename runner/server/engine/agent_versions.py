"""Named agents: definitions that are kept in versions, for responses that only name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.server.engine.core import Engine, need
from runner.server.engine.state.records import AgentVersionRecord, NamedAgentRecord
from runner.server.engine.state.store import Conflict, Missing


def create_version(
    engine: Engine,
    name: str,
    *,
    definition: Mapping[str, object],
    description: str | None,
    is_draft: bool,
    metadata: Mapping[str, str],
) -> AgentVersionRecord:
    """The next version of an agent, which is made if there is none of that name. `definition` is the API's mapping."""
    with engine.store.transaction():
        agent = engine.store.find(NamedAgentRecord, name)
        if agent is None:
            agent = engine.store.insert(NamedAgentRecord(id=name, created_at=engine.now()))
        number = agent.last_version + 1
        engine.store.replace(replace(agent, last_version=number))
        return engine.store.insert(
            AgentVersionRecord(
                id=_version_id(name, str(number)),
                created_at=engine.now(),
                agent_name=name,
                version=str(number),
                definition=definition,
                description=description,
                is_draft=is_draft,
                metadata=metadata,
            )
        )


def find_latest(engine: Engine, name: str) -> AgentVersionRecord | None:
    """The newest version that is no draft."""
    versions = engine.store.children(AgentVersionRecord, name)
    return next((one for one in reversed(versions) if not one.is_draft), None)


def need_version(engine: Engine, name: str, version: str) -> AgentVersionRecord:
    need(engine, NamedAgentRecord, name)
    found = engine.store.find(AgentVersionRecord, _version_id(name, version))
    if found is None:
        raise Missing(AgentVersionRecord.KIND, version, name)
    return found


def choose_version(engine: Engine, name: str, version: str | None) -> AgentVersionRecord:
    """The version that a response is to follow. Raises Missing; Conflict if the agent is disabled."""
    agent = need(engine, NamedAgentRecord, name)
    found = find_latest(engine, name) if version is None else need_version(engine, name, version)
    if found is None:
        raise Missing(AgentVersionRecord.KIND, "latest", name)
    if not agent.is_enabled:
        raise Conflict(f"Agent '{name}' is disabled.", param="agent_reference", code="agent_disabled")
    return found


def delete_version(engine: Engine, name: str, version: str) -> None:
    """An agent goes with its last version."""
    with engine.store.transaction():
        engine.store.delete(need_version(engine, name, version).id)
        if not engine.store.children(AgentVersionRecord, name):
            engine.store.delete(name)


def _version_id(name: str, version: str) -> str:
    return f"{name}:{version}"
