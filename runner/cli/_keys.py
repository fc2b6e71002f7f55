"""The key for a target, out of the environment; what is wrong with it is told without showing it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.config.declared_targets import OPENAI_KEY
from runner.domain.assistant import ChatEndpoint, Server, Target
from runner.domain.hosts import host_of, is_openai
from runner.errors import ConfigError

_OTHER_SERVER = "OPENAI_BASE_URL"
_WHOLE_KEY = "copy the whole key into it"
_PLACEHOLDER = re.compile(r"\.\.\.|…|[<>*]|your[-_ ]?\w*[-_ ]?key|^(?:sk-)?x+$", re.IGNORECASE)


def key_variable(target: Target) -> str | None:
    """The environment variable with the key for a target, or for the inference of an embedded one."""
    if target.server is Server.EMBEDDED:
        return target.inference.key_variable if isinstance(target.inference, ChatEndpoint) else None
    return target.key_variable


def find_key(target: Target, environment: Mapping[str, str]) -> str:
    """The key; "" where none is needed. Raises ConfigError if it is missing, or can't be one."""
    variable = key_variable(target)
    if variable is None:
        return ""
    key = environment.get(variable, "")
    if not key:
        state = "empty" if variable in environment else "not set"
        message = f"needs a key in the environment variable {variable}, which is {state}"
        raise _problem(target, message, "set it, or use `--target embedded`, which needs none")
    if mistake := _find_mistake(key):
        message, hint = mistake
        raise _problem(target, f"the environment variable {variable} holds no key: {message}", hint)
    if target.server is Server.OPENAI and variable == OPENAI_KEY:
        _check_other_server(target, environment)
    return key


def _find_mistake(key: str) -> tuple[str, str] | None:
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
        raise _problem(target, message, hint)


def _problem(target: Target, message: str, hint: str) -> ConfigError:
    return ConfigError((target.location.problem(message, path=f"target '{target.name}'", hint=hint),))
