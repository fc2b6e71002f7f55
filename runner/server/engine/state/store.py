"""The only place that changes what the server knows: records and leases in one SQLite database; and its refusals.

Every method is one short statement or transaction on the process's one writing connection. Several processes
may share the database: what is read and then written belongs into `transaction()`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from runner.errors import WriteFailed
from runner.server.engine.state.records import Record

VERSION = 1
BUSY_TIMEOUT_S = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    being_worked_on INTEGER NOT NULL,
    due_at REAL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_in_order ON objects(kind, parent_id, number);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects(parent_id);
CREATE INDEX IF NOT EXISTS objects_at_work ON objects(id) WHERE being_worked_on;
CREATE INDEX IF NOT EXISTS objects_due ON objects(due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS leases (
    object_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    ends_at REAL NOT NULL
) WITHOUT ROWID;
"""


# What the engine answers when it can't do what was asked; the faces turn these into their API's errors.
#
# Refusal            the request can't be served
# ├── Missing        an object that does not exist
# └── Conflict       the objects' state forbids it
# Damaged            a kept object can't be read any more


class Refusal(Exception):
    """The request can't be served; the message is for users, `param` names the parameter at fault."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        self.param = param
        self.code = code
        super().__init__(message)


class Missing(Refusal):
    """There is no `kind` (a record's KIND) called `object_id`; `parent_id` says where it was looked for."""

    def __init__(self, kind: str, object_id: str, parent_id: str = "") -> None:
        self.kind = kind
        self.object_id = object_id
        self.parent_id = parent_id
        super().__init__(f"There is no {kind} {object_id!r}.")


class Conflict(Refusal):
    """The objects are in a state that forbids it."""


class Damaged(Exception):
    """What the state has under `object_id` is no `kind`: somebody else wrote there, or the disk lost something."""

    def __init__(self, kind: str, object_id: str, reason: str) -> None:
        super().__init__(f"The {kind} {object_id!r} in this server's state is damaged: {reason}.")


def open_database(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, for this thread unless the caller locks it (`any_thread`).

    Raises WriteFailed if the file can't be used.
    """
    with ExitStack() as unless_opened:
        try:
            connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=not any_thread
            )
            unless_opened.callback(connection.close)
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            with transaction(connection):
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version > VERSION:
                    raise WriteFailed(
                        f"{path} was written by a newer version of runner; update runner, or move it away"
                    )
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={VERSION}")
        except sqlite3.Error as error:
            raise WriteFailed(f"cannot use the embedded server's state {path}: {error}") from error
        unless_opened.pop_all()
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """All or nothing."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already, or have left it open after its COMMIT.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for its busy timeout here: two processes that start together would collide.
    attempts = 200
    for attempt in range(attempts):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if attempt == attempts - 1:
                raise
            time.sleep(0.02)
        else:
            return


_CLASS = "_"
_PLAIN: dict[Any, Any] = {str: str, bool: bool, int: (int, float), float: (int, float)}

T = TypeVar("T")


def encode(record: object) -> str:
    return json.dumps(_to_json(record), separators=(",", ":"))


def decode(cls: type[T], text: object) -> T:
    """Raises ValueError, or RecursionError, for what no record was written as."""
    if not isinstance(text, str):
        raise ValueError("it is no text")
    decoded: T = _from_json(cls, json.loads(text))
    return decoded


def _to_json(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, object] = {_CLASS: type(value).__name__}
        plain |= {one.name: _to_json(getattr(value, one.name)) for one in fields(value)}
        return plain
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _from_json(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        members = get_args(hint)
        return None if value is None and NoneType in members else _from_json(_choose_member(members, value), value)
    if origin is tuple:
        return tuple(_from_json(get_args(hint)[0], item) for item in _expect(list, value))
    if origin is not None:
        return _expect(dict, value)
    if hint in _PLAIN:
        return _expect(_PLAIN[hint], value)
    if is_dataclass(hint):
        return _build(hint, _expect(dict, value))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value


def _build(cls: Any, values: dict[str, Any]) -> Any:
    known = _hints(cls)
    try:
        return cls(**{name: _from_json(known[name], item) for name, item in values.items() if name in known})
    except TypeError as error:
        needed = {one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING}
        raise ValueError(f"it has no {', '.join(sorted(needed - values.keys()))}") from error


def _expect(kinds: Any, value: Any) -> Any:
    if not isinstance(value, kinds):
        raise ValueError(f"{json.dumps(value)[:40]} stands where it can't")
    return value


def _choose_member(members: tuple[Any, ...], value: Any) -> Any:
    """The member of a union that `value` was: by its class name, by its type, or the first that isn't None."""
    candidates = [member for member in members if member is not NoneType]
    if not isinstance(value, dict) or _CLASS not in value:
        plain = (member for member in candidates if isinstance(value, _PLAIN.get(member, ())))
        return next(plain, candidates[0])
    for member in candidates:
        if getattr(member, "__name__", "") == value[_CLASS]:
            return member
    raise ValueError(f"nothing called {json.dumps(value[_CLASS])[:40]} can stand there")


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """At most `limit` objects, after or before the objects with those ids in the chosen order."""

    limit: int
    newest_first: bool = True
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    items: tuple[Item, ...]
    has_more: bool


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many objects, the sum of a field of theirs, and when the youngest was made."""

    count: int = 0
    total: int = 0
    newest: float = 0.0


class Store:
    """Records by kind, parent and id, in the order of their making."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._afterwards: list[Callable[[], None]] = []

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and alone among all processes. Inside another one it is part of that."""
        if self._connection.in_transaction:
            yield
            return
        try:
            with transaction(self._connection):
                yield
        except BaseException:
            self._afterwards.clear()
            raise
        afterwards, self._afterwards = self._afterwards, []
        for act in afterwards:
            act()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Have it done once the transaction that this is part of is written down, and never if it is taken back."""
        with self.transaction():
            self._afterwards.append(act)

    def insert(self, record: R) -> R:
        self._connection.execute(
            "INSERT INTO objects(id, kind, parent_id, being_worked_on, due_at, body) VALUES (?,?,?,?,?,?)",
            (record.id, record.KIND, record.parent_id, *_filing(record)),
        )
        return record

    def replace(self, record: Record) -> bool:
        """False if it is gone: then nothing was written."""
        cursor = self._connection.execute(
            "UPDATE objects SET parent_id=?, being_worked_on=?, due_at=?, body=? WHERE id=?",
            (record.parent_id, *_filing(record), record.id),
        )
        return cursor.rowcount == 1

    def delete(self, object_id: str) -> None:
        """Delete an object with everything that it is the parent of, and their leases."""
        with self.transaction():
            doomed = self._connection.execute(
                "WITH RECURSIVE tree(id) AS (VALUES (?) UNION ALL"
                " SELECT objects.id FROM objects JOIN tree ON objects.parent_id = tree.id) SELECT id FROM tree",
                (object_id,),
            ).fetchall()
            self._connection.executemany("DELETE FROM objects WHERE id=?", doomed)
            self._connection.executemany("DELETE FROM leases WHERE object_id=?", doomed)

    def find(self, cls: type[R], object_id: str) -> R | None:
        rows = self._connection.execute("SELECT id, body FROM objects WHERE id=? AND kind=?", (object_id, cls.KIND))
        return next(iter(_read(cls, rows)), None)

    def starting_with(self, cls: type[R], prefix: str) -> tuple[R, ...]:
        """All of one kind whose ids begin like that, oldest first."""
        # `+kind` keeps SQLite to the index of the ids.
        rows = self._connection.execute(
            "SELECT id, body FROM objects WHERE id >= ? AND id < ? AND +kind=? ORDER BY number",
            (prefix, prefix + chr(sys.maxunicode), cls.KIND),
        )
        return _read(cls, rows)

    def children(
        self, cls: type[R], parent_id: str | None = None, matching: Mapping[str, str | bool] | None = None
    ) -> tuple[R, ...]:
        """All of one kind, oldest first; of one parent unless that is None."""
        condition, values = _condition(cls, parent_id, matching or {})
        rows = self._connection.execute(f"SELECT id, body FROM objects WHERE {condition} ORDER BY number", values)
        return _read(cls, rows)

    def page(
        self, cls: type[R], parent_id: str, request: PageRequest, matching: Mapping[str, str | bool] | None = None
    ) -> Page[R]:
        """One page. Raises Refusal for a cursor that is not in the list."""
        condition, values = _condition(cls, parent_id, matching or {})
        for name, cursor in (("after", request.after), ("before", request.before)):
            if cursor is not None:
                is_newer = request.newest_first is (name == "before")
                condition += f" AND number {'>' if is_newer else '<'} ?"
                values.append(self._number_of(cls, parent_id, name, cursor))
        backwards = request.before is not None and request.after is None
        order = "DESC" if request.newest_first is not backwards else "ASC"
        rows = self._connection.execute(
            f"SELECT id, body FROM objects WHERE {condition} ORDER BY number {order} LIMIT ?",
            [*values, request.limit + 1],
        ).fetchall()
        found = _read(cls, rows[: request.limit])
        return Page(items=tuple(reversed(found)) if backwards else found, has_more=len(rows) > request.limit)

    def _number_of(self, cls: type[R], parent_id: str, name: str, cursor: str) -> int:
        # A file in a store is known outside by the file's id alone.
        row = self._connection.execute(
            "SELECT number FROM objects WHERE id IN (?, ?) AND kind=? AND parent_id=?",
            (cursor, f"{parent_id}/{cursor}", cls.KIND, parent_id),
        ).fetchone()
        if row is None:
            raise Refusal(f"Invalid cursor: there is no object with id '{cursor}' in this list.", param=name)
        number: int = row[0]
        return number

    def tally(
        self, cls: type[R], parent_id: str, *, by: str, total: str, matching: Mapping[str, str | bool] | None = None
    ) -> dict[Any, Tally]:
        """Objects of one parent by the value of their field `by`; the numbers in `total` are added up.

        Counted by the database: no object is read.
        """
        condition, values = _condition(cls, parent_id, matching or {})
        rows = self._connection.execute(
            "SELECT json_extract(body, ?), COUNT(*), SUM(json_extract(body, ?)), MAX(json_extract(body,"
            f" '$.created_at')) FROM objects WHERE {condition} GROUP BY 1",
            [f"$.{by}", f"$.{total}", *values],
        )
        return {value: Tally(count=count, total=total, newest=newest) for value, count, total, newest in rows}

    def is_any_in_work(self, cls: type[R], parent_id: str) -> bool:
        """Whether an object of this parent is being worked on."""
        row = self._connection.execute(
            "SELECT 1 FROM objects WHERE being_worked_on AND kind=? AND parent_id=? LIMIT 1", (cls.KIND, parent_id)
        ).fetchone()
        return row is not None

    def due(self, cls: type[R], now: float) -> tuple[R, ...]:
        """Objects of one kind whose time has come."""
        # `+kind` keeps SQLite from going through all objects of the kind, which are more than those that have a time.
        rows = self._connection.execute(
            "SELECT id, body FROM objects WHERE due_at <= ? AND due_at IS NOT NULL AND +kind=?", (now, cls.KIND)
        )
        return _read(cls, rows)

    def hold(self, object_id: str, owner: str, ends_at: float) -> None:
        """Give a lease, or lengthen it."""
        self._connection.execute("INSERT OR REPLACE INTO leases VALUES (?,?,?)", (object_id, owner, ends_at))

    def renew_leases(self, owner: str, ends_at: float) -> None:
        self._connection.execute("UPDATE leases SET ends_at=? WHERE owner=?", (ends_at, owner))

    def release(self, object_id: str) -> None:
        self._connection.execute("DELETE FROM leases WHERE object_id=?", (object_id,))

    def abandoned(self, cls: type[R], owner: str, now: float) -> tuple[R, ...]:
        """Objects in work that no living process holds; `owner`, who asks, is alive."""
        # `+kind`: see `due`.
        rows = self._connection.execute(
            "SELECT id, body FROM objects LEFT JOIN leases ON object_id = id WHERE being_worked_on AND +kind=?"
            " AND (owner IS NULL OR (ends_at < ? AND owner <> ?))",
            (cls.KIND, now, owner),
        )
        return _read(cls, rows)


def _read(cls: type[R], rows: Iterable[tuple[str, object]]) -> tuple[R, ...]:
    """Raises Damaged for an object that is none."""
    records = []
    for object_id, body in rows:
        try:
            record = decode(cls, body)
        except (ValueError, RecursionError) as error:
            raise Damaged(cls.KIND, object_id, str(error)) from error
        records.append(record)
    return tuple(records)


def _filing(record: Record) -> tuple[bool, float | None, str]:
    return record.is_being_worked_on, record.due_at, encode(record)


def _condition(
    cls: type[Record], parent_id: str | None, matching: Mapping[str, str | bool]
) -> tuple[str, list[str | int]]:
    condition = "kind=?"
    values: list[str | int] = [cls.KIND]
    if parent_id is not None:
        condition += " AND parent_id=?"
        values.append(parent_id)
    for name, value in matching.items():
        condition += " AND json_extract(body, ?) = ?"
        values += [f"$.{name}", value]
    return condition, values
