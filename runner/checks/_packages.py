"""Checks that installed packages add: what the program is told of them, by a process that is ended in time.

No code of a package's runs in the program itself. Its module is imported, and its constructors are called, beside it.
"""

from __future__ import annotations

import atexit
import hashlib
import pickle
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from runner.domain.conversation import Ending
from runner.domain.scenario import Expectation, expectations_in
from runner.errors import CheckBroken, UsageError
from runner.plugins import find_module, load_plugin
from runner.side_process import Desk, SideProcess, read_plain

CHECKS = "runner.checks"
IMPORT_S = 60.0
MAKE_S, MAKE_ALL_S, SLOW_S = 10.0, 60.0, 0.1
"""What a check may take for its parameters: of one place, of all; what is done sooner isn't counted."""
LONGEST_REASON, LARGEST_DESCRIPTION = 500, 5_000_000
_NEEDED = ("SCHEMA", "MAIN_FIELD", "EXAMPLES", "Check")
_PLAIN = ("NEEDS_TOOLS", "NEEDS_NONE_ON", "CODE_ARGUMENTS")
_METHODS = ("judge", "judge_asking", "combine")


@cache
def load_check(name: str) -> ModuleType:
    """The module of a check; of a package's, what it says of itself. Raises KeyError if there is none of that name.

    Raises UsageError for what an installed package adds and can't be used.
    """
    module = find_module(CHECKS, name)
    if module.startswith(f"{CHECKS}."):
        return load_plugin(CHECKS, name)
    found = _describe(name, module)
    if isinstance(found, str):
        raise UsageError(
            f"the check '{name}' of an installed package, {module}, can't be used: {found}; mend or uninstall it"
        )
    return found


def import_check(name: str) -> ModuleType:
    """The module itself: in a process beside the program only."""
    return load_plugin(CHECKS, name)


class AddedModule(ModuleType):
    """What stands for a package's module: plain data, and a `Check` that is made of anything and does nothing."""

    def try_on(self, expectation: Expectation) -> None:
        """Raises ValueError, with a message for users, for parameters that its constructor doesn't take."""
        _packages().make(self.__name__, expectation)

    def names_any(self, expectation: Expectation, files: Collection[str]) -> bool:
        """Whether its check names one of these. Raises ValueError."""
        return _packages().make(self.__name__, expectation, tuple(files))


class _AddedCheck:
    def __init__(self, **parameters: object) -> None:
        pass


def _do_nothing(*_: object, **__: object) -> Any:
    raise CheckBroken("a package's check is judged in a process of its own")


class _Packages:
    """The processes, one for each package and kept; and what came of parameters."""

    def __init__(self) -> None:
        self._processes: dict[str, SideProcess] = {}
        self._known: dict[bytes, tuple[str, bool]] = {}
        self._spent_s: defaultdict[str, float] = defaultdict(float)
        self._asking = threading.RLock()

    def describe(self, module: str) -> Any:
        """A problem in words, or what `_describe_module` says."""
        package = module.partition(".")[0]
        with self._asking:
            try:
                if package not in self._processes:
                    self._processes[package] = SideProcess(__name__)
                return self._processes[package].ask(pickle.dumps((IMPORT_S, _describe_module, (module,))), IMPORT_S)
            except TimeoutError:
                problem = f"importing it took more than {IMPORT_S:g} s, and was ended"
            except EOFError as error:
                problem = f"importing it ended its process ({error})"
            except OSError as error:
                problem = f"no process could be started for it: {error.strerror or error}"
            self._processes.pop(package, None)
            return problem

    def make(self, module: str, expectation: Expectation, files: tuple[str, ...] = ()) -> bool:
        """Raises ValueError."""
        key = hashlib.sha256(pickle.dumps((expectation.check, expectation.parameters, files))).digest()
        with self._asking:
            if key not in self._known:
                self._known[key] = self._make(module, expectation, files)
        problem, names_one = self._known[key]
        if problem:
            raise ValueError(problem)
        return names_one

    def _make(self, module: str, expectation: Expectation, files: tuple[str, ...]) -> tuple[str, bool]:
        package, name = module.partition(".")[0], f"the check '{expectation.check}' of {module}"
        limit_s = min(MAKE_S, MAKE_ALL_S - self._spent_s[module])
        if limit_s <= 0:
            return f"not tried: {name} has taken {MAKE_ALL_S:g} s for the parameters of other places", False
        if package not in self._processes and isinstance(problem := self.describe(module), str):
            return f"{name} can't be used any more: {problem}", False
        order = pickle.dumps((limit_s, _make_check, (expectation, files)))
        started_s = time.monotonic()
        try:
            said: tuple[str, bool] = self._processes[package].ask(order, limit_s)
        except TimeoutError:
            said = f"{name} took more than {limit_s:g} s for these parameters, and was ended", False
        except EOFError as error:
            said = f"{name} ended its process ({error}) on these parameters", False
        else:
            took_s = time.monotonic() - started_s
            self._spent_s[module] += took_s if took_s > SLOW_S else 0
            return said
        del self._processes[package]
        self._spent_s[module] += time.monotonic() - started_s
        return said

    def end(self) -> None:
        with self._asking:
            while self._processes:
                self._processes.popitem()[1].end()


@cache
def _packages() -> _Packages:
    packages = _Packages()
    atexit.register(packages.end)
    return packages


@contextmanager
def ending_processes() -> Iterator[None]:
    """Once the files are read, nobody needs them for a while."""
    try:
        yield
    finally:
        _packages().end()


@cache
def _describe(name: str, module: str) -> AddedModule | str:
    """A problem is told again, not looked for again: it may have taken a minute."""
    said = _packages().describe(module)
    if isinstance(said, str):
        return said
    found = AddedModule(module)
    methods = dict.fromkeys(said.pop("methods"), _do_nothing)
    found.__dict__.update(said, Check=type(name, (_AddedCheck,), {**methods, **said.pop("attributes")}))
    return found


def work() -> None:
    """What such a process does."""
    desk = Desk()
    desk.serve(lambda order: _obey(desk, *order))


def _obey(desk: Desk, limit_s: float, do: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    desk.watch(limit_s)
    try:
        return pickle.dumps(do(*arguments))
    finally:
        desk.rest()


class _Unfit(Exception):
    pass


def _describe_module(module: str) -> dict[str, Any] | str:
    try:
        found = import_module(module)
        if missing := [one for one in _NEEDED if not hasattr(found, one)]:
            raise _Unfit(f"it has no {missing[0]}")
        said: dict[str, Any] = {"SCHEMA": _read_schema(found.SCHEMA), "MAIN_FIELD": str(found.MAIN_FIELD)}
        if said["MAIN_FIELD"] not in said["SCHEMA"]["properties"]:
            raise _Unfit("its MAIN_FIELD is none of the properties of its SCHEMA")
        said |= {one: _as_plain(getattr(found, one)) for one in _PLAIN if hasattr(found, one)}
        said |= {"EXAMPLES": tuple(found.EXAMPLES), "__doc__": str(found.__doc__ or "")}
        said |= {"methods": [one for one in _METHODS if hasattr(found.Check, one)]}
        said["attributes"] = _read_attributes(found.Check)
        message = pickle.dumps(said)
        if len(message) > LARGEST_DESCRIPTION:
            raise _Unfit(f"it says {len(message):,} bytes of itself; at most {LARGEST_DESCRIPTION:,} are read")
        read_plain(message)
    except BaseException as error:  # noqa: BLE001 - whatever is wrong with it, no bug of ours
        return _tell(error, "")
    return said


def _read_schema(written: Any) -> dict[str, Any]:
    """Without its patterns, which could take for ever: `_make_check` holds parameters to them. Complete for readers."""
    from runner.json_schema import check_schema

    schema: dict[str, Any] = _as_plain(written)
    try:
        check_schema(schema)
    except ValueError as error:
        raise _Unfit(f"its SCHEMA {error}") from error
    fields = schema["properties"]
    for field in fields.values():
        if not isinstance(field, dict) or "$ref" in field:
            raise _Unfit("each of the properties of its SCHEMA has to be a mapping, without `$ref`")
        field.setdefault("description", "")
    return {"description": "", **_without_patterns(schema, is_schema=True)}


def _without_patterns(value: Any, *, is_schema: bool) -> Any:
    """Under `properties` stand names, and `pattern` is one like others; what is said by example isn't looked into."""
    match value:
        case dict() if is_schema:
            kept = {key: one for key, one in value.items() if key != "pattern"}
            deeper = kept.keys() - {"examples", "default", "enum", "const"}
            return kept | {key: _without_patterns(kept[key], is_schema=key != "properties") for key in deeper}
        case dict():
            return {key: _without_patterns(one, is_schema=True) for key, one in value.items()}
        case list():
            return [_without_patterns(one, is_schema=is_schema) for one in value]
    return value


def _read_attributes(made_of: Any) -> dict[str, object]:
    attributes: dict[str, object] = {
        "is_paid": getattr(made_of, "is_paid", True) is not False,
        "states_endings": getattr(made_of, "states_endings", False) is True,
    }
    if hasattr(made_of, "endings"):
        attributes["endings"] = frozenset(one for one in Ending if one in made_of.endings)
    return attributes


def _as_plain(value: Any) -> Any:
    """The same of Python's own types, which nobody has to import anything for."""
    match value:
        case None | bool() | Decimal():
            return value
        case str() | int() | float():
            return next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
        case Mapping():
            return {_as_plain(key): _as_plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            kind = next(kind for kind in (list, tuple, set, frozenset) if isinstance(value, kind))
            return kind(map(_as_plain, value))
    raise _Unfit(f"it says of itself what is no plain data: {type(value).__name__}")


def _make_check(expectation: Expectation, files: tuple[str, ...]) -> tuple[str, bool]:
    from runner.checks import build_part
    from runner.json_schema import find_mismatch

    try:
        parameters = expectation.parameters
        if any(True for _ in expectations_in(parameters)):
            parameters = {name: one for name, one in parameters.items() if isinstance(one, str)}
        known = import_check(expectation.check).SCHEMA["properties"]
        if mismatch := find_mismatch(parameters, {"properties": known}):
            return mismatch[:LONGEST_REASON], False
        check: Any = build_part(expectation, load=import_check).check
        return "", any(check.names(file) for file in files)
    except BaseException as error:  # noqa: BLE001 - what a check exits with may be anything
        return _tell(error, "the check's own code broke: "), False


def _tell(error: BaseException, says: str) -> str:
    try:
        words = str(error)
    except BaseException:  # noqa: BLE001 - an exception that can't even be shown
        words = "it can't be shown"
    is_ours = isinstance(error, _Unfit) or (says and isinstance(error, ValueError))
    return (words if is_ours and words else f"{says}{type(error).__name__}: {words}")[:LONGEST_REASON]
