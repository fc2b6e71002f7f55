"""Text out of a file that may be anything: a device, a folder, UTF-16, endless."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from pathlib import Path

from runner.errors import Problem

MAX_BYTES = 4 * 1024 * 1024

# Controls that hide text or change its direction, and line breaks that editors don't count as lines.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, *, file: str) -> str | Problem:
    """The text of a UTF-8 file without its BOM, or what is wrong with it. Never waits for a FIFO or a device."""
    try:
        data = _read_regular_file(path)
    except _NotRegular as error:
        return Problem(file=file, line=1, column=1, message=str(error), hint="name a file of text")
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and os.path.islink(path):
            message = f"this is a link to {os.readlink(path)!r}, which is not there"
            return Problem(file=file, line=1, column=1, message=message, hint="mend the link, or remove it")
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Problem(file=file, line=1, column=1, message=f"the file can't be read: {reason}")
    if len(data) > MAX_BYTES:
        limit = f"the file is larger than {MAX_BYTES // 1024 // 1024} MB, which is the limit"
        return Problem(file=file, line=1, column=1, message=limit, hint="split it")
    return _decode(data, file)


class _NotRegular(Exception):
    """Something that has a name like a file but isn't one."""


def _read_regular_file(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise _NotRegular("this is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise _NotRegular("this is a device, pipe or socket, not a file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _decode(data: bytes, file: str) -> str | Problem:
    if data[:2] in _UTF16_MARKS or b"\x00" in data[:4]:
        message = "the file is UTF-16 or UTF-32 text, or no text at all"
        return Problem(file=file, line=1, column=1, message=message, hint="save it as UTF-8")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8 text"
        return _problem_after(before, file, message, "save the file as UTF-8")
    if hidden := _HIDDEN.search(text):
        character = hidden.group()
        name = unicodedata.name(character, "a control character")
        message = f"the hidden character U+{ord(character):04X} ({name}) is not accepted"
        hint = f'remove it, or write \\u{ord(character):04x} between double quotes ("...") if it is meant'
        return _problem_after(text[: hidden.start()], file, message, hint)
    return text


def _problem_after(before: str, file: str, message: str, hint: str) -> Problem:
    """A problem at the place that follows the text `before`."""
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Problem(file=file, line=before.count("\n") + 1, column=column, message=message, hint=hint)
