"""Results as plain JSON data and back: what reports hold, what a play keeps, and what goes between processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from math import isfinite
from pathlib import Path
from types import NoneType
from typing import Any, NewType, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from runner.domain.conversation import Run, SearchResult
from runner.domain.files import FileUse, LocalFile
from runner.domain.report import Attempt, Report, Results, ScenarioResult, TurnResult, Variant, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location

Data = dict[str, Any]
_Built = TypeVar("_Built")


def report_as_json(report: Report) -> Data:
    """A play but for its results, and for what those come to beside their counts."""
    return {**_as_data(report), "exit_code": report.exit_code, "counts": dict(report.counts)}


def report_from_json(data: object, results: Results, **given: object) -> Report:
    """What `report_as_json` has written, with these results; what is `given` is not looked for. Raises ValueError."""
    return _build(Report, data, "", results=results, known_tallies=None, **given)


def result_as_json(result: ScenarioResult) -> Data:
    """One scenario's result: what was asked and expected under `turns`, what came of it under `attempts`."""
    data = {
        **_as_data(result.scenario),
        **_as_data(result),
        "pass_at_least": result.scenario.passes_needed,
        "counted_as": result.counted_as,
        "duration_s": round(result.duration_s, 3),
    }
    for long in ("expect", "turns", "attempts"):
        data[long] = data.pop(long)
    return data


def attempt_as_json(attempt: Attempt) -> Data:
    """One time through a scenario; its turns are those of the scenario, as far as it came."""
    return _as_data(attempt)


def verdict_as_json(verdict: Verdict) -> Data:
    return _as_data(verdict)


def run_as_json(run: Run) -> Data:
    """All that is known of a run; the project's own checks see it, too."""
    return {**_as_data(run), "ending": run.ending.value}


def _as_data(one: Any) -> Data:
    """A dataclass by the keys under which `_build` looks for its fields."""
    data = {key: _as_value(getattr(one, name)) for name, key, _, _ in _plan(one.__class__)}
    if data.get("duration_s") is not None:
        data["duration_s"] = round(data["duration_s"], 3)
    return data


def _as_value(value: Any) -> Any:
    match value:
        case None | str() | int():
            return value
        case tuple():
            return list(map(_as_value, value))
        case Location():
            return str(value)
        case Enum():
            return value.value
        case Run():
            return run_as_json(value)
        case LocalFile():
            return value.name
        case SearchResult() if not isfinite(value.score):
            return {**_as_data(value), "score": 0.0}
    return _as_data(value) if is_dataclass(value) else as_plain(value)


def as_plain(value: object) -> Any:
    """What JSON has a word for; a decimal is a number again, no number is None, and what is left is its text."""
    if isinstance(value, Expectation):
        return {value.check: as_plain(value.parameters)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(one) for one in value]
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() and value.adjusted() < 300 else float(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def result_from_json(data: object, place: str = "") -> ScenarioResult:
    """What `result_as_json` has written. Raises ValueError, which names the place, for anything else.

    A turn's attachments have their names only.
    """
    scenario = scenario_from_json(data, place)
    attempts = (attempt_from_json(one, scenario, at) for at, one in _items(data, "attempts", place))
    return _build(ScenarioResult, data, place, scenario=scenario, attempts=tuple(attempts))


def variant_from_json(data: object, place: str = "") -> Variant:
    return _build(Variant, data, place)


def scenario_from_json(data: object, place: str = "") -> Scenario:
    """The scenario as a result tells of it: enough to report on, not to play."""
    return _build(Scenario, data, place, turns=tuple(_turn(one, at) for at, one in _items(data, "turns", place)))


def _turn(data: object, place: str) -> Turn:
    turn = _build(Turn, data, place, attachments=())
    names = (_read(str, name, at) for at, name in _items(data, "attachments", place))
    return replace(turn, attachments=tuple(_attachment(name, turn.location) for name in names))


def _attachment(name: str, place: Location) -> LocalFile:
    return LocalFile(path=Path(name), name=name, use=FileUse.INPUT, size_bytes=0, location=place)


def attempt_from_json(data: object, scenario: Scenario, place: str = "") -> Attempt:
    """What `attempt_as_json` has written about an attempt at a scenario."""
    played = zip(scenario.turns, _items(data, "turns", place), strict=False)
    turns = tuple(_build(TurnResult, one, at, turn=turn) for turn, (at, one) in played)
    return _build(Attempt, data, place, turns=turns)


def verdict_from_json(data: object) -> Verdict:
    return _build(Verdict, data, "")


def run_from_json(data: object) -> Run:
    return _build(Run, data, "")


_KEYS = {
    Run: {"text": "answer", "raw_text": "raw_answer", "is_replayed": "replayed"},
    Scenario: {"expectations": "expect"},
    Turn: {"expectations": "expect"},
}
"""What JSON calls a field, where it is not the field's name."""
_NEEDED = (ScenarioResult, Scenario, Turn, Attempt, TurnResult, Run)
"""Of these all fields are told; of the others those without a default have to be."""
_LATER = ("expect", "verdicts", "replayed", "inputs")
"""Keys that plays of earlier versions don't have."""
_UNTOLD = {
    Report: {"results", "can_go_on", "known_tallies"},
    ScenarioResult: {"scenario"},
    TurnResult: {"cause", "turn"},
    Expectation: {"is_idle"},
    Scenario: {field.name for field in fields(Scenario) if "timeout" in field.name}
    | {"smoke", "functions", "continues"},
}
_LARGEST = 1e15
"""No number in a play comes near it, and sums of smaller ones are numbers still."""


def _build(cls: Callable[..., _Built], data: object, place: str, **given: object) -> _Built:
    """An object from its JSON data and what is `given`. Raises ValueError."""
    told = _mapping(data, place)
    for name, key, hint, is_needed in _plan(cls):
        if name in given:
            continue
        if key in told:
            given[name] = _read(hint, told[key], f"{place}.{key}" if place else key)
        elif is_needed:
            raise ValueError(f"{place or 'it'} has no {key!r}")
    return cls(**given)


@cache
def _plan(cls: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    """Of each field of a dataclass: its name, its key in JSON, its type, and whether it has to be there."""
    hints = get_type_hints(cls)
    keys: Mapping[str, str] = _KEYS.get(cls, {})
    return tuple(
        (
            one.name,
            key := keys.get(one.name, one.name),
            hints[one.name],
            key not in _LATER and (cls in _NEEDED or (one.default is MISSING and one.default_factory is MISSING)),
        )
        for one in fields(cls)
        if one.name not in _UNTOLD.get(cls, ())
    )


def _read(hint: Any, value: Any, place: str) -> Any:
    return _reader(hint)(value, place)


@cache
def _reader(hint: Any) -> Callable[[Any, str], Any]:
    """What makes a value of this type from JSON. It raises ValueError."""
    hint = hint.__supertype__ if isinstance(hint, NewType) else hint
    parts = get_args(hint)
    if NoneType in parts:
        (other,) = (_reader(one) for one in parts if one is not NoneType)
        return lambda value, place: None if value is None else other(value, place)
    if get_origin(hint) is tuple:
        item = _reader(parts[0])
        return lambda value, place: tuple(item(one, f"{place}[{at}]") for at, one in enumerate(_list(value, place)))
    if get_origin(hint) is Mapping:
        return _mapping
    if hint is Location:
        return _place
    if hint in _WORDS:
        return partial(_plain, hint)
    return partial(_enum, hint) if issubclass(hint, Enum) else partial(_build, hint)


def _plain(kind: type[Any], value: Any, place: str) -> Any:
    fits = isinstance(value, (int, float) if kind is float else kind)
    if isinstance(value, bool):
        fits = kind is bool
    elif fits and kind in (int, float):
        least = -_LARGEST if place.endswith("score") else 0  # of a passage: some servers go below 0
        fits = least <= value <= _LARGEST
    return value if fits else _refuse(value, place, _WORDS[kind])


_WORDS = {str: "text", bool: "true or false", int: "a count", float: "a number that makes sense here"}


def _enum(kind: type[Enum], value: Any, place: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        return _refuse(value, place, f"one of {', '.join(str(one.value) for one in kind)}")


def _place(value: Any, place: str) -> Location:
    try:
        return Location.parse(_plain(str, value, place))
    except ValueError:
        return _refuse(value, place, "FILE:LINE:COLUMN")


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _refuse(value, place, "a mapping")


def _list(value: Any, place: str) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else _refuse(value, place, "a list")


def _items(data: object, key: str, place: str) -> Iterator[tuple[str, Any]]:
    """The items of the list under a key, each with its place."""
    at = f"{place}.{key}" if place else key
    for number, one in enumerate(_list(_mapping(data, place).get(key), at)):
        yield f"{at}[{number}]", one


def _refuse(value: object, place: str, wanted: str) -> NoReturn:
    told = ascii(value)
    raise ValueError(f"{place or 'it'} is {told if len(told) <= 40 else told[:40] + '...'}, not {wanted}")
