"""Answer the function calls of a run: every call gets an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from math import isinf

from runner.domain.assistant import Function
from runner.domain.conversation import FunctionAnswer, FunctionCall, Output
from runner.functions import MAX_OUTPUT_BYTES, FunctionFailed, build_answerer, keep_end
from runner.json_schema import find_mismatch

CALLS_AT_ONCE = 8
LONGEST_ERROR = 1000


class Desk:
    """Answers the calls of some functions; `places` limits how many are worked on at once, over all desks of a play.

    What an answer says is without secrets (`clean`): it goes to the model, and into reports.
    """

    def __init__(
        self, functions: Iterable[Function], *, clean: Callable[[str], str], places: asyncio.Semaphore
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._answerers = {name: build_answerer(function) for name, function in self._functions.items()}
        self._clean = clean
        self._places = places

    async def answer(self, call: FunctionCall) -> FunctionAnswer:
        """The answer to one call; what goes wrong is said in it."""
        printed = ""
        try:
            result = await self._work_out(call)
            printed = self._read_printed(result)
            output = self._clean(result)
            size = len(output.encode("utf-8", "replace"))
            if size > MAX_OUTPUT_BYTES:
                raise FunctionFailed(f"the result has {size:,} bytes; at most {MAX_OUTPUT_BYTES:,} are passed on")
        except FunctionFailed as error:
            return _explain(self._clean(str(error)), printed or self._read_printed(error))
        except Exception as error:  # noqa: BLE001 - one broken function must not leave a call without an answer
            return _explain(self._clean(f"{type(error).__name__}: {error}"))
        return FunctionAnswer(output=_sendable(output), printed=printed)

    def _read_printed(self, came: str | FunctionFailed) -> str:
        return keep_end(_sendable(self._clean(came.printed))) if isinstance(came, (Output, FunctionFailed)) else ""

    async def _work_out(self, call: FunctionCall) -> str:
        function = self._functions.get(call.name)
        if function is None:
            raise FunctionFailed(f"there is no function '{call.name}'; there is {', '.join(self._functions)}")
        arguments = read_arguments(call.arguments)
        mismatch = find_mismatch(arguments, function.parameters)
        if mismatch:
            raise FunctionFailed(f"the arguments are not as declared: {mismatch}")
        answerer = self._answerers[call.name]
        if call.recorded is not None and answerer.is_remote:
            return call.recorded
        async with self._places:
            return await answerer.answer(arguments)


def read_arguments(text: str) -> Mapping[str, object]:
    """The arguments of a call; nothing at all means none. Raises FunctionFailed."""
    try:
        arguments = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise FunctionFailed(f"the arguments are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise FunctionFailed("the arguments are not a JSON object")
    return arguments


def _read_float(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _explain(reason: str, printed: str = "") -> FunctionAnswer:
    return FunctionAnswer(output=_sendable(f"error: {reason[:LONGEST_ERROR]}"), is_error=True, printed=printed)


def _sendable(text: str) -> str:
    """Without the halves of characters that no encoding has."""
    return text.encode("utf-8", "replace").decode()
