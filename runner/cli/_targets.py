"""Open the target that a verb works on: find its key, start the embedded server if it is one, build its backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from runner.backends import Backend, Endpoint
from runner.cli._keys import find_key, key_variable
from runner.cli._state_folder import state_folder
from runner.config import Configuration
from runner.config.declared_targets import OPENAI_KEY
from runner.domain.assistant import ChatEndpoint, History, InferenceChoice, Project, Scripted, Server, Target
from runner.domain.capabilities import Capabilities
from runner.domain.files import IMAGE_TYPES
from runner.domain.scenario import Scenario
from runner.errors import ConfigError, Problem, UsageError
from runner.journal import Journal
from runner.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from runner.server.inference import Inference


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedTarget:
    """A target with its backend. On an embedded server `inference` names what answers, `sandbox` where code runs."""

    target: Target
    backend: Backend
    inference: str | None
    sandbox: str | None = None


def find_target(configuration: Configuration, name: str | None) -> Target:
    """The target called `name`, or the file's default. Raises UsageError if there is none."""
    targets = configuration.project.targets
    wanted = name or configuration.project.default_target
    if wanted in targets:
        return targets[wanted]
    close = get_close_matches(wanted, targets, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there is {', '.join(map(repr, targets))}"
    raise UsageError(f"unknown target '{wanted}'; {hint}")


def find_capabilities(target: Target) -> Capabilities:
    """What the target's API can do; the embedded server has its own tools alone, and reads the files that it can."""
    module = load_plugin("runner.backends", target.api)
    replays = target.history is History.REPLAY
    found: Capabilities = module.REPLAY_CAPABILITIES if replays else module.CAPABILITIES
    if target.server is not Server.EMBEDDED:
        return found
    documents = found.input_types - IMAGE_TYPES
    if documents:
        from runner.server.extraction import readable_types

        documents &= readable_types()
    return replace(
        found,
        tools=found.tools & frozenset(plugin_names("runner.server.tools")),
        input_types=found.input_types & IMAGE_TYPES | documents,
    )


def check_offline(project: Project, scenarios: Sequence[Scenario] | None, target: Target) -> None:
    """Raises ConfigError with everything that the target's API can't do or would refuse.

    `scenarios` are those that are to be played; None: all assistants are to be synced.
    """
    from runner.config.unsupported import find_unsupported
    from runner.sync import find_excesses

    addresses = None if scenarios is None else {scenario.assistant for scenario in scenarios}
    assistants = [one for one in project.assistants if addresses is None or one.address in addresses]
    limits = load_plugin("runner.backends", target.api).LIMITS
    problems = (
        *find_unsupported(project, scenarios, target, find_capabilities(target)),
        *find_excesses(assistants, limits, target=target.name),
        *_find_missing_extra(target),
    )
    if problems:
        files = list(dict.fromkeys(problem.file for problem in problems))
        raise ConfigError(tuple(sorted(problems, key=lambda one: (files.index(one.file), one.line, one.column))))


def _find_missing_extra(target: Target) -> tuple[Problem, ...]:
    """What the embedded server's sandbox needs and is not installed."""
    if target.server is not Server.EMBEDDED:
        return ()
    from runner.server.sandboxes import need_sandbox

    try:
        need_sandbox(target.sandbox.value)
    except UsageError as error:
        return (target.location.problem(str(error), path=f"target '{target.name}'"),)
    return ()


def secrets_of(configuration: Configuration, target: Target, environment: Mapping[str, str]) -> frozenset[str]:
    """Every value that must not be shown when this target is used."""
    keys = {environment.get(variable, "") for variable in (key_variable(target), OPENAI_KEY) if variable}
    return configuration.secrets | (keys - {""})


def open_inference(choice: InferenceChoice, key: str) -> Inference:
    """What answers on an embedded server. Raises UsageError, with every mistake of a script."""
    match choice:
        case Scripted(script=script):
            shown = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
            name, settings = "scripted", {"script": str(shown)}
        case ChatEndpoint():
            name = "openai_compatible"
            settings = {
                "base_url": choice.base_url,
                "model": choice.model or "",
                "key": key,
                "embedding_model": choice.embedding_model or "",
            }
        case _:
            name, settings = "offline", {}
    inference: Inference = load_plugin("runner.server.inference", name).create(settings)
    return inference


@asynccontextmanager
async def open_target(
    configuration: Configuration, target: Target, journal: Journal, environment: Mapping[str, str]
) -> AsyncIterator[OpenedTarget]:
    """The target, ready to be talked to until the block ends."""
    if target.server is Server.EMBEDDED:
        inference = open_inference(target.inference, find_key(target, environment))
        async with _open_embedded(configuration.root, target, inference, journal) as opened:
            yield opened
        return
    endpoint = Endpoint(
        base_url=target.base_url, key=find_key(target, environment) or "none", key_variable=key_variable(target)
    )
    async with _open_backend(target, endpoint, journal) as backend:
        yield OpenedTarget(target=target, backend=backend, inference=None)


@asynccontextmanager
async def _open_embedded(
    root: Path, target: Target, inference: Inference, journal: Journal
) -> AsyncIterator[OpenedTarget]:
    from runner.cli._server_log import keep_server_log
    from runner.server.embedded import start_embedded

    state = state_folder(root) / "embedded"
    with keep_server_log(state):
        async with start_embedded(state, inference, sandbox=target.sandbox.value) as address:
            endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
            async with _open_backend(target, endpoint, journal) as backend:
                sandbox = target.sandbox.value
                yield OpenedTarget(target=target, backend=backend, inference=inference.name, sandbox=sandbox)


@asynccontextmanager
async def _open_backend(target: Target, endpoint: Endpoint, journal: Journal) -> AsyncIterator[Backend]:
    module = load_plugin("runner.backends", target.api)
    endpoint = replace(endpoint, history=target.history, background=target.background)
    async with module.open_backend(endpoint, journal) as backend:
        yield backend
