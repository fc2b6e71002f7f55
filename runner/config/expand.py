"""`${env:NAME}` and `${secret:NAME}` in values, from a mapping; what comes out is never expanded again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.config.document import Document, Mistake, Where
from runner.did_you_mean import quote
from runner.redaction import MIN_SECRET_CHARACTERS

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?:(env|secret):([A-Za-z_][A-Za-z0-9_]*)\}|[^}\s]{0,40}\}?)")


class _Refused(Exception):
    """A placeholder that has no value: message and hint."""


def expand_placeholders(document: Document, environment: Mapping[str, str]) -> frozenset[str]:
    """Fill the placeholders in a document's value; returns what `secret` gave. A refused one stays as written."""
    secrets: set[str] = set()
    document.value = _expand(document.value, (), document, environment, secrets)
    return frozenset(secrets)


def _expand(
    value: object, where: Where, document: Document, environment: Mapping[str, str], secrets: set[str]
) -> object:
    if isinstance(value, dict):
        return {key: _expand(one, (*where, key), document, environment, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [_expand(one, (*where, index), document, environment, secrets) for index, one in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        return _PLACEHOLDER.sub(lambda match: _fill(match, environment, secrets), value)
    except _Refused as error:
        message, hint = error.args
        document.report(Mistake(where=where, message=message, hint=hint))
        return value


def _fill(match: re.Match[str], environment: Mapping[str, str], secrets: set[str]) -> str:
    whole, kind, name = match[0], match[1], match[2]
    if whole == "$${":
        return "${"
    if kind is None:
        raise _Refused(
            f"{quote(whole)} is no placeholder", "write ${env:NAME} or ${secret:NAME}, or $${ for the text '${'"
        )
    found = environment.get(name)
    if not found:
        state = "not set" if found is None else "empty"
        raise _Refused(f"the environment variable {name} is {state}", f"set {name}, or remove {quote(whole)}")
    if kind == "secret":
        if len(found) < MIN_SECRET_CHARACTERS:
            hint = f"use a longer one, or ${{env:{name}}} if it isn't secret"
            shortness = f"fewer than {MIN_SECRET_CHARACTERS} characters, too few to keep it out of output"
            raise _Refused(f"the secret {name} has {shortness}", hint)
        secrets.add(found)
    return found
