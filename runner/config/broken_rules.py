"""What the schema library finds, as data of ours; of an `anyOf`, what is wrong with the branch that was meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from runner.config.coerce import Schema
from runner.config.document import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRule:
    """A keyword of JSON Schema (`rule`) with its argument (`wanted`), and the value that breaks it.

    `schema` is what the keyword stands in. `is_about_key`: the value is a key, of the mapping at `where`.
    `branches` are what each branch of an `anyOf` has against the value.
    """

    rule: str
    wanted: Any
    value: Any
    schema: Mapping[str, Any]
    where: Where
    is_about_key: bool = False
    branches: tuple[tuple[BrokenRule, ...], ...] = ()


def find_broken_rules(value: object, schema: Schema) -> Iterator[BrokenRule]:
    """Every rule that a value breaks, each as near to the mistake as can be told."""
    for error in Draft202012Validator(schema).iter_errors(value):
        yield from _find_meant(_translate(error))


def _translate(error: ValidationError) -> BrokenRule:
    branches: dict[object, list[BrokenRule]] = defaultdict(list)
    for inner in error.context or ():
        branches[inner.relative_schema_path[0]].append(_translate(inner))
    return BrokenRule(
        rule=str(error.validator),
        wanted=error.validator_value,
        value=error.instance,
        schema=error.schema if isinstance(error.schema, Mapping) else {},
        where=tuple(error.absolute_path),
        is_about_key="propertyNames" in error.absolute_schema_path,
        branches=tuple(tuple(branch) for branch in branches.values()),
    )


def _find_meant(broken: BrokenRule) -> Iterator[BrokenRule]:
    """The rule itself, or what is wrong inside the only branch that has the value's own shape."""
    fitting = [
        branch for branch in broken.branches if not any(_is_other_shape(inner, broken.where) for inner in branch)
    ]
    if len(fitting) != 1:
        yield broken
        return
    for inner in fitting[0]:
        yield from _find_meant(inner)


def _is_other_shape(broken: BrokenRule, where: Where) -> bool:
    """Whether a branch fails because the value is of another shape altogether (a list where it wants text)."""
    if broken.where != where:
        return False
    if broken.branches:
        return all(any(_is_other_shape(inner, where) for inner in branch) for branch in broken.branches)
    is_compound = isinstance(broken.value, dict | list)
    return broken.rule == "type" or (broken.rule in ("enum", "const") and is_compound)
