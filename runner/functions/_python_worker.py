"""A program of its own: calls one Python function of the project, and writes one line on what came of it.

`runner.functions.python` starts it, and sends the order as JSON. It imports nothing of runner's: what the project's
code finds here is Python, its own folder, and no open door to the process that plays.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import json
import os
import sys
import traceback
from collections.abc import Awaitable
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

SPARE_S = 2.0
LONGEST_ERROR = 1000


def main() -> None:
    order = json.loads(sys.stdin.buffer.read())
    answer_descriptor = _keep_to_myself()
    # Should nobody be left to end this process: it ends by itself, even if Python's lock is held.
    faulthandler.dump_traceback_later(order["timeout_s"] + SPARE_S, exit=True)
    try:
        said = {"output": _render(_call(order), order["max_bytes"], as_json=order["as_json"])}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's
        said = {"error": _describe(error, order)}
        _print_traceback(error, order["root"])
    line = json.dumps(said).encode() + b"\n"
    while line:
        line = line[os.write(answer_descriptor, line) :]
    # Threads that are still busy, and what wants to be tidied up at exit, have had their time.
    os._exit(0)


def _keep_to_myself() -> int:
    """A descriptor for the answer; whatever is printed from now on, by C code too, goes where errors go."""
    own = os.dup(1)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return own


def _call(order: dict[str, Any]) -> object:
    os.chdir(order["root"])
    sys.path.insert(0, order["root"])
    sys.argv[:] = [order["file"]]
    name = _module_name(order["file"])
    spec = spec_from_file_location(name, order["file"])
    assert spec is not None, "its name ends with .py"
    assert spec.loader is not None, "it is a file"
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    result = getattr(module, order["function"])(**order["arguments"])
    return asyncio.run(_wait_for(result)) if inspect.isawaitable(result) else result


async def _wait_for(result: Awaitable[object]) -> object:
    return await result


def _render(result: object, max_bytes: int, *, as_json: bool) -> str:
    if isinstance(result, str) and not as_json:
        text = result
    else:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise OverflowError(f"the result has {size:,} bytes; at most {max_bytes:,} are passed on")
    return text


def _describe(error: BaseException, order: dict[str, Any]) -> str:
    """The error with its place in the project's code: `tools/rates.py:12: KeyError: 'EUR'`."""
    try:
        words = str(error)
    except BaseException:  # noqa: BLE001 - an exception that can't even be shown
        words = "it can't be shown"
    return f"{_locate(error, order)}: {type(error).__name__}: {words}"[:LONGEST_ERROR]


def _print_traceback(error: BaseException, root: str) -> None:
    """As Python does, from the project's first line on, with paths as the project has them."""
    trace = error.__traceback__
    while trace is not None and not _is_own(trace.tb_frame.f_code.co_filename, root):
        trace = trace.tb_next
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except BaseException:  # noqa: BLE001 - an exception that can't even be shown
        return
    text = "".join(lines).replace(root + os.sep, "").encode("utf-8", "backslashreplace")
    with suppress(OSError):  # the function may have closed it
        while text:
            text = text[os.write(2, text) :]


def _locate(error: BaseException, order: dict[str, Any]) -> str:
    """The innermost line of the project's own; where none had its turn (a wrong call, a result that is no JSON), the
    function's first, or else the file.
    """
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 1))
    for file, line in reversed(places):
        if _is_own(file, order["root"]):
            return f"{_shown(file, order['root'])}:{line}"
    function = getattr(sys.modules.get(_module_name(order["file"])), order["function"], None)
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is not None and _is_own(code.co_filename, order["root"]):
        return f"{_shown(code.co_filename, order['root'])}:{code.co_firstlineno}"
    return _shown(order["file"], order["root"])


def _is_own(file: str, root: str) -> bool:
    """Whether it is the project's: neither a library that was installed under its root, nor this file."""
    is_inside = file.startswith(root + os.sep) and file != __file__
    return is_inside and "site-packages" not in _shown(file, root).split("/")


def _shown(file: str, root: str) -> str:
    return os.path.relpath(file, root).replace(os.sep, "/")


def _module_name(file: str) -> str:
    return f"project_{os.path.basename(file).removesuffix('.py')}"


if __name__ == "__main__":
    main()
