"""Follow a run to its end: look at it, answer the functions that it calls, and stop it when it takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.backends import Question
from runner.backends._assistants_wire import ENDED, WAITS_FOR_FUNCTIONS, WireRun, outputs_body, read_run
from runner.backends._requests import REQUEST_BUDGET_S, Api, Reply, Request, join_path
from runner.backends._waiting import Deadline, Rhythm
from runner.domain.conversation import FunctionAnswer, FunctionCall, RunStatus
from runner.errors import RemoteError, UnclearOutcome

MAX_ROUNDS = 16
"""Of function calls in one run: what still calls functions then would never end."""
CANCELLING_S = 5.0
LOOP_CODE = "function_loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A run at its end, whether it came there by itself or was stopped; `answers` to its calls, by their ids."""

    run: WireRun
    answers: Mapping[str, FunctionAnswer] = field(default_factory=dict)
    is_readable: bool = True


class Follower:
    """Follows the runs of one API; it learns when to look."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._pace = api.pace
        self._rhythm = Rhythm(api.pace.fastest_look_s)

    async def follow(self, reply: Reply[WireRun], question: Question) -> Followed:
        """The run when it is over; it is stopped if it takes longer than the question allows, or calls without end.

        What a run that was stopped for its time has done is not looked at.
        """
        deadline = Deadline.after(question.deadline_s, self._pace.clock)
        answers: dict[str, FunctionAnswer] = {}
        for rounds in range(MAX_ROUNDS + 1):
            run = await self._wait(reply, deadline)
            if run.status in ENDED:
                return Followed(run=run, answers=answers)
            if run.status != WAITS_FOR_FUNCTIONS:
                run = await self._give_up(run, question.deadline_s)
                return Followed(run=run, answers=answers, is_readable=False)
            names = ", ".join(dict.fromkeys(call.name for call in run.calls)) or "functions without a name"
            if question.answer is None:
                error = f"the assistant calls functions that nothing here answers: {names}"
                return await self._stop(run, answers, error)
            if rounds == MAX_ROUNDS:
                error = f"the assistant still calls {names} after {MAX_ROUNDS} rounds of calls; it was stopped"
                return await self._stop(run, answers, error, LOOP_CODE)
            try:
                async with asyncio.timeout(deadline.left_s()):
                    answers |= await _answer(question, [call for call in run.calls if call.id not in answers])
            except TimeoutError:
                error = f"{names} did not answer within {question.deadline_s:.0f} s"
                return await self._stop(run, answers, error)
            reply = await self._submit(run, answers)
        raise AssertionError("the last round returns")

    async def cancel(self, run: WireRun) -> str:
        """Cancel a run and wait until it has stopped; what went wrong is returned: nobody can do anything about it."""
        path = join_path("threads", run.thread_id, "runs", run.id, "cancel")
        request = Request(doing=f"cancelling the run {run.id}", path=path, budget_s=CANCELLING_S)
        try:
            reply = await self._api.post(request, read_run)
            run = await self._wait(reply, Deadline.after(CANCELLING_S, self._pace.clock))
        except RemoteError as error:
            return str(error)
        return "" if run.status in ENDED else f"it was '{run.status}' {CANCELLING_S:.0f} s later"

    async def _wait(self, reply: Reply[WireRun], deadline: Deadline) -> WireRun:
        """The run when it is over or waits for functions, or as it was last seen when the time is.

        Unknown statuses count as not over.
        """
        pace = self._pace
        started = pace.clock()
        looks, paused_s = 0, 0.0
        while not reply.value.is_over and deadline.left_s() > 0:
            pause_s = self._rhythm.pause_s(reply.poll_after_s, pace.clock() - started)
            await pace.sleep(min(pause_s, deadline.left_s()))
            # The last look may end a little late: better than to take a finished run for one that hangs.
            reply = await self._look(reply.value, min(REQUEST_BUDGET_S, deadline.left_s() + CANCELLING_S))
            looks, paused_s = looks + 1, paused_s + pause_s
        if looks and reply.value.is_over:
            self._rhythm.learn(looks, paused_s)
        return reply.value

    async def _look(self, run: WireRun, budget_s: float) -> Reply[WireRun]:
        path = join_path("threads", run.thread_id, "runs", run.id)
        return await self._api.get(
            Request(doing=f"waiting for the run {run.id}", path=path, budget_s=budget_s), read_run
        )

    async def _submit(self, run: WireRun, answers: Mapping[str, FunctionAnswer]) -> Reply[WireRun]:
        """Hand in the answers to all calls that a run waits for.

        If they were refused, or the reply was lost, the run itself tells what became of it: it may have expired, or
        have them already. If it still waits, they are handed in again.
        """
        path = join_path("threads", run.thread_id, "runs", run.id, "submit_tool_outputs")
        body = outputs_body({call.id: answers[call.id] for call in run.calls})
        request = Request(doing=f"answering the functions of the run {run.id}", path=path, body=body)
        try:
            return await self._api.post(request, read_run)
        except RemoteError as error:
            reply = await self._look(run, REQUEST_BUDGET_S)
            if reply.value.status == WAITS_FOR_FUNCTIONS and not isinstance(error, UnclearOutcome):
                raise
            return reply

    async def _give_up(self, run: WireRun, waited_s: float) -> WireRun:
        trouble = await self.cancel(run)
        ending = f"and could not be cancelled: {trouble}" if trouble else "and was cancelled"
        error = f"the run was still '{run.status}' after {waited_s:.0f} s, {ending}"
        return replace(run, status=RunStatus.CANCELLED.value, error=error)

    async def _stop(
        self, run: WireRun, answers: Mapping[str, FunctionAnswer], error: str, code: str | None = None
    ) -> Followed:
        """The run failed for a reason of ours."""
        await self.cancel(run)
        failed = replace(run, status=RunStatus.FAILED.value, error=error, error_code=code)
        return Followed(run=failed, answers=answers)


async def _answer(question: Question, calls: Sequence[FunctionCall]) -> dict[str, FunctionAnswer]:
    assert question.answer is not None, "the caller has seen to that"
    answers = await asyncio.gather(*(question.answer(call) for call in calls))
    return {call.id: answer for call, answer in zip(calls, answers, strict=True)}
