"""The target that a verb works on: its key, what it can do, and its backend, an embedded server started if it is one.

What is wrong with a key is told without showing it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from runner.backends import OPENAI_URL, Backend, Capabilities, Endpoint
from runner.config.declared_targets import OPENAI_KEY
from runner.config.loading import Functions, find_unsupported, functions_of, in_order
from runner.domain.assistant import (
    Address,
    ByName,
    ChatEndpoint,
    History,
    InferenceChoice,
    Project,
    Scripted,
    Server,
    Target,
)
from runner.domain.files import IMAGE_TYPES
from runner.domain.hosts import host_of, is_openai
from runner.domain.report import Variant
from runner.domain.scenario import Scenario
from runner.errors import ConfigError, Problem, UsageError
from runner.journal import Journal
from runner.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from runner.server.faults import FaultPlan
    from runner.server.inference import Inference

_OTHER_SERVER = "OPENAI_BASE_URL"
_WHOLE_KEY = "copy the whole key into it"
_PLACEHOLDER = re.compile(r"\.\.\.|…|[<>*]|your[-_ ]?\w*[-_ ]?key|^(?:sk-)?x+$", re.IGNORECASE)
LARGEST_LOG_BYTES = 1 << 20


def _key_variable(target: Target) -> str | None:
    """The environment variable with the key for a target, or for the inference of an embedded one."""
    if target.server is Server.EMBEDDED:
        return target.inference.key_variable if isinstance(target.inference, ChatEndpoint) else None
    return target.key_variable


def key_variables(target: Target) -> tuple[str, ...]:
    """The environment variables whose values must not be shown when this target is used."""
    return OPENAI_KEY, _key_variable(target) or OPENAI_KEY


WITHOUT_KEY = "set it, or use `--target embedded`, which needs none"


def find_key(target: Target, environment: Mapping[str, str], *, hint: str = WITHOUT_KEY) -> str:
    """The key; "" where none is needed. Raises ConfigError if it is missing (with the hint), or can't be one."""
    variable = _key_variable(target)
    if variable is None:
        return ""
    key = environment.get(variable, "")
    if not key:
        state = "empty" if variable in environment else "not set"
        message = f"needs a key in the environment variable {variable}, which is {state}"
        raise _key_problem(target, message, f"{_explain_env_file(target, variable)}{hint}")
    if mistake := _find_mistake_in_key(key):
        message, hint = mistake
        raise _key_problem(target, f"the environment variable {variable} holds no key: {message}", hint)
    if target.server is Server.OPENAI and variable == OPENAI_KEY:
        _check_other_server(target, environment)
    return key


def _explain_env_file(target: Target, variable: str) -> str:
    """For somebody who has written the key into a file that other programs read by themselves."""
    with suppress(OSError, UnicodeDecodeError):
        written = Path(target.location.file).with_name(".env").read_text(encoding="utf-8")
        if re.search(rf"^(?:export )?{re.escape(variable)}=", written, re.MULTILINE):
            return "`.env` is not read by itself, `set -a; . ./.env; set +a` sets what stands in it; "
    return ""


def _find_mistake_in_key(key: str) -> tuple[str, str] | None:
    """What is wrong with a key that is not empty, and what to do."""
    if _PLACEHOLDER.search(key):
        return "it is a placeholder, or a shortened key", _WHOLE_KEY
    if key.startswith("$"):
        return "it is the name of a variable that was never filled in", _WHOLE_KEY
    if key[:1] in "'\"`" or key[-1:] in "'\"`":
        return "there are quotes around it", "leave them out"
    if key.casefold().startswith("bearer "):
        return "it begins with 'Bearer'", "leave that out"
    if any(character.isspace() for character in key):
        return "there is a space or a line break in it", "copy it again"
    if not key.isascii() or not key.isprintable():
        return "there is a character in it that no key has (not printable ASCII)", "copy it again"
    return None


def _check_other_server(target: Target, environment: Mapping[str, str]) -> None:
    """OpenAI's SDK would send the key to the server that the environment names; so it may be that server's key."""
    named = environment.get(_OTHER_SERVER, "")
    if named and not is_openai(host_of(named)):
        message = f"{_OTHER_SERVER} is set, so {OPENAI_KEY} may hold the key of that server; this target is OpenAI"
        hint = f"unset {_OTHER_SERVER}, name the key's variable with key_env, or give the target a base_url"
        raise _key_problem(target, message, hint)


def _key_problem(target: Target, message: str, hint: str) -> ConfigError:
    return ConfigError((target.location.problem(message, path=f"target '{target.name}'", hint=hint),))


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


def check_offline(
    project: Project, scenarios: Sequence[Scenario] | None, target: Target, *, only: Address | None = None
) -> None:
    """Raises ConfigError with everything that the target's API can't do or would refuse.

    `scenarios` are those that are to be played; None: all assistants are to be synced, or `only` one of them.
    """
    from runner.sync import find_excesses

    if only is not None:
        project = replace(project, assistants=tuple(one for one in project.assistants if one.address == only))
    addresses = None if scenarios is None else {scenario.assistant for scenario in scenarios}
    assistants = [one for one in project.assistants if addresses is None or one.address in addresses]
    limits = load_plugin("runner.backends", target.api).LIMITS
    problems = (
        *find_unsupported(project, scenarios, target, find_capabilities(target)),
        *find_excesses(assistants, limits, target=target.name),
        *_find_missing_extra(target),
    )
    if problems:
        raise ConfigError(in_order(problems))


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


def open_inference(choice: InferenceChoice, key: str) -> Inference:
    """What answers on an embedded server. Raises UsageError, with every mistake of a script."""
    settings: Mapping[str, object]
    match choice:
        case Scripted(script=script):
            name, settings = "scripted", {"script": _show(script)}
        case ChatEndpoint():
            name = "openai_compatible"
            settings = {
                "base_url": choice.base_url,
                "model": choice.model or "",
                "key": key,
                "embedding_model": choice.embedding_model or "",
                "slots": choice.slots,
            }
        case ByName():
            name, settings = choice.name, {}
    inference: Inference = load_plugin("runner.server.inference", name).create(settings)
    return inference


def open_faults(path: Path | None) -> FaultPlan | None:
    """What is to go wrong on an embedded server. Raises ConfigError with every mistake of the file."""
    if path is None:
        return None
    from runner.server.faults.fault_file import read_faults

    return read_faults(path, file=_show(path))


def find_mistakes_in_named_files(targets: Iterable[Target], functions: Functions | None) -> Iterator[Problem]:
    """Every mistake in the scripts and the files of faults that these targets name.

    A script's call of a function that no assistant has is one: its target is asked by this project alone.
    """
    targets = tuple(targets)
    for script in dict.fromkeys(one.inference.script for one in targets if isinstance(one.inference, Scripted)):
        from runner.server.inference.scripted.script import read_scripts

        try:
            read_scripts(script, file=_show(script), functions=functions)
        except ConfigError as error:
            yield from error.problems
    for faults in dict.fromkeys(one.faults for one in targets):
        try:
            open_faults(faults)
        except ConfigError as error:
            yield from error.problems


def check_named_files(project: Project, target: Target) -> None:
    """Raises ConfigError with every mistake in what a target names."""
    if problems := tuple(find_mistakes_in_named_files([target], functions_of(project.assistants))):
        raise ConfigError(problems)


def _show(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


@asynccontextmanager
async def open_target(
    target: Target,
    journal: Journal,
    environment: Mapping[str, str],
    *,
    embedded_state: Path,
    learn_secret: Callable[[str], None],
) -> AsyncIterator[tuple[Backend, Variant]]:
    """The target, ready to be talked to until the block ends; `learn_secret` is told of tokens that come up."""
    key, variant = find_key(target, environment), Variant(target=target.name, api=target.api)
    async with AsyncExitStack() as stack:
        if target.server is Server.EMBEDDED:
            from runner.server.embedded import start_embedded

            inference, faults = open_inference(target.inference, key), open_faults(target.faults)
            variant = replace(variant, inference=inference.name, sandbox=target.sandbox.value)
            stack.enter_context(_keep_server_log(embedded_state))
            starting = start_embedded(embedded_state, inference, sandbox=target.sandbox.value, faults=faults)
            address = await stack.enter_async_context(starting)
            endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
        else:
            endpoint = Endpoint(
                base_url=target.base_url or OPENAI_URL,
                key=key or "none",
                key_variable=_key_variable(target),
                token_command=target.token_command,
                place=f"{target.location}: target '{target.name}'",
                learn_secret=learn_secret,
            )
        endpoint = replace(endpoint, history=target.history, background=target.background, window=target.window)
        module = import_module(f"runner.backends.{target.api}.backend")
        yield await stack.enter_async_context(module.open_backend(endpoint, journal)), variant


class _QuietHandler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A full disk is what the server may be complaining of."""


@contextmanager
def _keep_server_log(state: Path) -> Iterator[None]:
    """Warnings and errors of the server and of uvicorn, in `server.log` beside the state; made when there is one."""
    path = state / "server.log"
    handler = _QuietHandler(path, maxBytes=LARGEST_LOG_BYTES, backupCount=1, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    handler.setLevel(logging.WARNING)
    loggers = [logging.getLogger(name) for name in ("runner.server", "uvicorn")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        # What a full disk didn't take was the server's to say; the work ends as it did.
        with suppress(OSError):
            handler.close()
