"""Foundry's answers held against azure-ai-projects' models, strictly: the client itself takes whatever comes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

AGENTS = re.compile(r"/api/projects/[^/]+(/agents.*)")
_ANSWERS = (
    ("GET", r"/agents", "AgentDetails[]"),
    ("GET", r"/agents/[^/]+", "AgentDetails"),
    ("DELETE", r"/agents/[^/]+", "DeleteAgentResponse"),
    ("POST", r"/agents/[^/]+/versions", "AgentVersionDetails"),
    ("GET", r"/agents/[^/]+/versions", "AgentVersionDetails[]"),
    ("GET", r"/agents/[^/]+/versions/[^/]+", "AgentVersionDetails"),
    ("DELETE", r"/agents/[^/]+/versions/[^/]+", "DeleteAgentVersionResponse"),
)


def check_answer(method: str, path: str, status: int, body: object) -> None:
    """Raises AssertionError for an answer that the models don't have; `path` is below the project's address."""
    if status == 401:
        return  # The gate is the same for all APIs, and says so in OpenAI's words.
    if status >= 400:
        check(body, "ApiErrorResponse")
        return
    (name,) = [name for verb, pattern, name in _ANSWERS if verb == method and re.fullmatch(pattern, path)]
    if not name.endswith("[]"):
        check(body, name)
        return
    assert isinstance(body, dict)
    assert body.keys() == {"object", "data", "first_id", "last_id", "has_more"}
    for row in body["data"]:
        check(row, name.removesuffix("[]"))


def check(body: object, name: str) -> None:
    from azure.ai.projects import models

    _check_model(body, getattr(models, name), name)


def _check_model(body: object, model: Any, where: str) -> None:
    assert isinstance(body, Mapping), f"{where} is no object"
    model(dict(body))  # which learns of its fields when the first one is made
    model = _of_its_kind(model, body)
    fields = {one._rest_name: one for one in model._attr_to_rest_field.values()}
    hints = {one._rest_name: _hint(model, name) for name, one in model._attr_to_rest_field.items()}
    assert body.keys() <= fields.keys(), f"{where} has {sorted(body.keys() - fields.keys())}"
    needed = {name for name, hint in hints.items() if NoneType not in get_args(hint)}
    assert needed <= body.keys(), f"{where} lacks {sorted(needed - body.keys())}"
    for name, value in body.items():
        _check_value(value, hints[name], f"{where}.{name}")


def _of_its_kind(model: Any, body: Mapping[str, object]) -> Any:
    """The subclass that the body's discriminator names."""
    for field in model._attr_to_rest_field.values():
        if getattr(field, "_is_discriminator", False) and body.get(field._rest_name) in model.__mapping__:
            kind = model.__mapping__[body[field._rest_name]]
            kind(dict(body))
            return kind
    return model


@cache
def _hint(model: Any, name: str) -> Any:
    owners = (inspect.get_annotations(cls) for cls in model.__mro__)
    written = next(annotations[name] for annotations in owners if name in annotations)
    return _resolve(written)


def _resolve(written: Any) -> Any:
    """A hint that may be written as text, with the package's own short names in it."""
    while isinstance(written, str | ForwardRef):
        written = _evaluate(written if isinstance(written, str) else written.__forward_arg__)
    return written


@cache
def _evaluate(text: str) -> Any:
    from azure.ai.projects import _unions, models
    from azure.ai.projects.models import _models

    return eval(text, {**vars(_models), "_models": models, "_unions": _unions})  # noqa: S307 - not from outside


def _check_value(value: object, hint: Any, where: str) -> None:
    hint = _resolve(hint)
    origin, members = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return
    if origin in (Union, UnionType):
        _check_any(value, members, where)
    elif origin is Literal:
        assert value in [getattr(one, "value", one) for one in members], f"{where} is {value!r}"
    elif origin is list:
        assert isinstance(value, list), f"{where} is no list"
        for number, one in enumerate(value):
            _check_value(one, members[0], f"{where}[{number}]")
    elif origin is dict:
        assert isinstance(value, dict), f"{where} is no object"
        for key, one in value.items():
            _check_value(one, members[1], f"{where}.{key}")
    elif isinstance(hint, type) and hasattr(hint, "as_dict"):
        _check_model(value, hint, where)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        assert value in [one.value for one in hint], f"{where} is {value!r}"
    else:
        kinds = {datetime: int, float: (int, float), NoneType: NoneType}
        assert isinstance(value, kinds.get(hint, hint)), f"{where} is {value!r}"


def _check_any(value: object, hints: tuple[Any, ...], where: str) -> None:
    problems = []
    for hint in hints:
        try:
            _check_value(value, hint, where)
        except AssertionError as error:
            problems.append(str(error))
        else:
            return
    raise AssertionError(f"{where} is none of these: {'; '.join(problems)}")
