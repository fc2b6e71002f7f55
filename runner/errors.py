"""Every exception of the program, each with the exit code that it leads to.

RunnerError                  something stops the program; the message is one line for the user
├── UsageError           2   wrong usage or configuration; nothing was sent
│   ├── ConfigError      2   mistakes in files, all at once, as `Problem`s
│   └── NotDeclared      2   an address that the file doesn't declare; a KeyError, too
├── NothingFound         5   a selection that matches nothing
├── GateClosed           4   a limit or safety gate stopped it
├── ChangesPending       6   the remote side differs from the file, and that was asked to matter
├── WriteFailed          3   a report, journal or state file could not be written
└── RemoteError          3   the remote side said no, or said nothing
    ├── RemoteUnreachable    no connection, no answer in time, or one that is no answer
    ├── KeyRejected          401 and 403
    ├── RemoteMissing        404
    │   └── ModelMissing     the model is not there, not there any more, or not for this key
    ├── RateLimited          429, after waiting as told
    │   ├── TooLargeForLimit one request that no waiting makes fit
    │   └── QuotaUsedUp      a quota that waiting can't mend
    ├── UnclearOutcome       a create was sent and its answer was lost: the object may exist
    └── DeadlineExceeded     our own deadline passed

CheckBroken is apart: raised inside a check, it becomes an ERRORED verdict, never the program's end.

"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import ClassVar

DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""The `errno` of an OSError that is about the disk: full, failing or read-only."""

TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})
"""The `errno` of an OSError that is about how many files may be open at once."""


def on_one_line(name: str) -> str:
    """A file's name for messages: what can't be printed becomes an escape, so that nothing splits the line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file: where (1-based line and column), what is wrong, what to do."""

    file: str
    line: int
    column: int
    path: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{on_one_line(self.file)}:{self.line}:{self.column}: "
        path = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{path}{self.message}{hint}"


class RunnerError(Exception):
    """Stops the program with one line for the user."""

    exit_code: ClassVar[int] = 70


class UsageError(RunnerError):
    """Wrong usage or configuration, found before anything was sent."""

    exit_code = 2


class ConfigError(UsageError):
    """Mistakes in files; `problems` is never empty and is in file order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class NotDeclared(UsageError, KeyError):
    """What an app asked for is not in the file."""

    __str__ = Exception.__str__  # a KeyError's would put quotes around the sentence


class NothingFound(RunnerError):
    """A glob or selection matched no scenario."""

    exit_code = 5


class GateClosed(RunnerError):
    """A limit or a safety gate stopped the work."""

    exit_code = 4


class ChangesPending(RunnerError):
    """The remote side is not what the file declares."""

    exit_code = 6


class WriteFailed(RunnerError):
    """A file of ours could not be written; the message names it."""

    exit_code = 3


class RemoteError(RunnerError):
    """The remote side answered with an error; `status` is HTTP's, `code` the API's own word."""

    exit_code = 3

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class RemoteUnreachable(RemoteError):
    """No connection, no answer in time, or an answer that is none of the API's."""


class KeyRejected(RemoteError):
    """The key is wrong or lacks a permission."""


class RemoteMissing(RemoteError):
    """The object, the model or the whole API is not there."""


class ModelMissing(RemoteMissing):
    """The model that was asked for is not there, not there any more, or not for this key."""


class RateLimited(RemoteError):
    """Too many requests, or more than fits; `pause_s` is how long the server asks to stay away, if it does."""

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, pause_s: float | None = None
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.pause_s = pause_s


class TooLargeForLimit(RateLimited):
    """One request that exceeds the limit by itself; waiting won't help, and says nothing of smaller ones."""


class QuotaUsedUp(RateLimited):
    """The account has no credit left; waiting won't help."""


class UnclearOutcome(RemoteError):
    """A create was sent and the answer was lost; the object may or may not exist."""


class DeadlineExceeded(RemoteError):
    """The time that we allow ran out."""


class CheckBroken(Exception):
    """A check could not be evaluated; the message says why, and `printed` what code of the project printed."""

    printed: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file as users see it; `line` and `column` start at 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{on_one_line(self.file)}:{self.line}:{self.column}"

    @classmethod
    def parse(cls, text: str) -> Location:
        """The place that `str` has written. Raises ValueError."""
        file, line, column = text.rsplit(":", 2)
        return cls(file, int(line), int(column))

    def problem(self, message: str, *, path: str = "", hint: str = "") -> Problem:
        """A mistake at this place."""
        return Problem(file=self.file, line=self.line, column=self.column, path=path, message=message, hint=hint)
