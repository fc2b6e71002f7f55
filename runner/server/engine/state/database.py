"""Opens the state folder's database, which several processes may use at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import WriteFailed

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


def open_database(
    path: Path, *, sleep: Callable[[float], None] = time.sleep, any_thread: bool = False
) -> sqlite3.Connection:
    """A connection in autocommit mode, for this thread unless the caller locks it (`any_thread`).

    Raises WriteFailed if the file can't be used.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=not any_thread
        )
        _switch_to_wal(connection, sleep)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise WriteFailed(f"{path} was written by a newer version of runner; update runner, or move it away")
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise WriteFailed(f"cannot use the embedded server's state {path}: {error}") from error
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


def _switch_to_wal(connection: sqlite3.Connection, sleep: Callable[[float], None]) -> None:
    # SQLite does not wait for its busy timeout here: two processes that start together would collide.
    attempts = 200
    for attempt in range(attempts):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if attempt == attempts - 1:
                raise
            sleep(0.02)
        else:
            return
