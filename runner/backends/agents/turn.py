"""One turn in a session: looked at until it has ended, its functions answered, its verdict read from its items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from runner.backends import Question
from runner.backends._failures import explain_end, explain_overflow
from runner.backends._requests import REQUEST_BUDGET_S, Api, Request, join_path
from runner.backends._waiting import QUEUED, Deadline, Rhythm, Wait, answer_calls, list_names
from runner.backends.agents.wire import (
    Item,
    WireMessage,
    WireOutput,
    WireSession,
    WireTurn,
    message_event,
    read_item,
    read_session,
    read_turn,
    result_event,
)
from runner.domain.conversation import (
    FileId,
    FunctionAnswer,
    FunctionCall,
    ProducedFile,
    Run,
    RunId,
    RunStatus,
    Step,
    ThreadId,
    answered_step,
)
from runner.errors import DeadlineExceeded, RemoteError

MAX_CALLS = 128
"""Of functions in one turn: what still calls functions then would never end."""
CANCELLING_S = 5.0
LOOP_CODE = "function_loop"
TRUNCATED = "max_output_tokens"
MESSAGE_BREAK = "\n\n"
NO_TURN = ""
_UNKNOWN_CALL = "Unknown pending tool call"
# A call can be shown before the server takes its result: as long as the SDK itself tries again.
_RACE_PAUSES_S = (0.1, 0.3, 0.6)


@dataclass(slots=True, kw_only=True)
class Session:
    """What is known of one session, while it goes on; `turn_ids` are those of earlier questions.

    `paths` are where uploaded files lie in its environment.
    """

    id: ThreadId
    environment_id: str | None = None
    turn_ids: set[str] = field(default_factory=set)
    paths: dict[FileId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Played:
    """A turn at its end, whether it came there by itself or was stopped; its id is "" if there never was one."""

    turn: WireTurn | None
    session: WireSession
    status: RunStatus
    error: str | None
    error_code: str | None = None
    items: tuple[Item, ...] = ()

    @property
    def id(self) -> str:
        return self.turn.id if self.turn else NO_TURN


class Turn:
    """The work on one question."""

    def __init__(self, api: Api, question: Question, rhythm: Rhythm) -> None:
        self._api = api
        self._question = question
        self._rhythm = rhythm
        self._pace = api.pace
        self._started = api.pace.clock()
        self._deadline = Deadline.after(question.deadline_s, api.pace.clock)
        self._wait = Wait(self._deadline, question.queue_s)
        self._answers: dict[str, FunctionAnswer] = {}

    async def wait_until_idle(self, session: Session) -> None:
        """What is said to a session at work steers its turn, and begins none. Notes the turns that there are."""
        while (seen := await self._look_at_session(session)).status != "idle":
            left_s = self._deadline.left_s()
            if left_s <= 0 or seen.status == "failed":
                doing = f"asking in the session {session.id}"
                raise DeadlineExceeded(self._api.line(doing, f"it takes no question; its state is '{seen.status}'"))
            await self._pace.sleep(min(self._rhythm.pause_s(None, self._waited_s()), left_s))
        session.environment_id = seen.environment_id
        session.turn_ids |= {turn.id for turn in await self._list_turns(session)}

    async def send(self, session: Session, content: Sequence[Mapping[str, object]]) -> None:
        doing = f"asking '{self._question.deployment.assistant.address}' in the session {session.id}"
        budget_s = min(REQUEST_BUDGET_S, self._question.deadline_s)
        await self._api.pass_gate(budget_s)
        await _send_event(self._api, session.id, message_event(content), doing, uuid4().hex, budget_s)

    async def play(self, session: Session) -> Played:
        """Raises what reading raises; how badly the turn itself ended is in what is returned."""
        played = await self._follow(session)
        if played.turn is None:
            return played
        session.turn_ids.add(played.id)
        path = join_path("agents", "sessions", session.id, "turns", played.id, "items")
        request = Request(doing=f"reading the turn {played.id}", path=path, query={"order": "asc"})
        items = await self._api.list_all(request, read_item)
        return replace(played, items=tuple(item for item in items if item is not None))

    def build_run(self, session: Session, played: Played, files: tuple[ProducedFile, ...]) -> Run:
        messages = [item for item in played.items if isinstance(item, WireMessage)]
        text = MESSAGE_BREAK.join(message.text for message in messages)
        status, error, code = played.status, played.error, played.error_code
        is_cut_off = status is RunStatus.COMPLETED and not all(message.is_whole for message in messages)
        if is_cut_off or code == TRUNCATED:
            status, error = RunStatus.INCOMPLETE, f"the answer is incomplete: {error or 'the server does not say why'}"
        declined = played.session.declined == played.id != NO_TURN
        return Run(
            id=RunId(played.id),
            thread_id=session.id,
            status=status,
            text=text,
            raw_text=text,
            steps=tuple(self._steps_of(played.items)),
            files=files,
            usage=played.turn.usage if played.turn else None,
            model=played.session.model,
            declined=text if declined else None,
            error=error and explain_overflow(code, error),
            error_code=code,
            duration_s=self._waited_s(),
        )

    def _steps_of(self, items: Sequence[Item]) -> Iterator[Step]:
        told = {item.call_id: item.answer for item in items if isinstance(item, WireOutput)}
        for item in items:
            if isinstance(item, Step):
                yield item
            elif isinstance(item, FunctionCall):
                yield answered_step(item, self._answers.get(item.id, told.get(item.id)))

    async def _follow(self, session: Session) -> Played:
        """The turn when it is over, or was stopped; statuses that are not known count as not over."""
        turn: WireTurn | None = None
        while True:
            turn = await self._look_at_turn(session, turn.id if turn else None)
            seen = await self._look_at_session(session)
            if turn is not None and turn.is_over:
                error = explain_end(turn.status, turn.error, turn.error_code, None)
                return Played(turn, seen, RunStatus(turn.status), error, turn.error_code)
            if seen.status == "failed":
                error = seen.error or "the session failed, and the server doesn't say why"
                return Played(turn, seen, RunStatus.FAILED, error)
            trouble = await self._answer_calls(session, seen, turn)
            if trouble is not None:
                with_code = LOOP_CODE if len(self._answers) >= MAX_CALLS else None
                await self._stop(session, turn)
                return Played(turn, seen, RunStatus.FAILED, trouble, with_code)
            left_s = self._wait.left_s(turn.status if turn else QUEUED)
            if left_s <= 0:
                return await self._give_up(session, turn, seen)
            await self._pace.sleep(min(self._rhythm.pause_s(None, self._waited_s()), left_s))

    async def _look_at_session(self, session: Session) -> WireSession:
        path = join_path("agents", "sessions", session.id)
        request = Request(doing=f"waiting for the session {session.id}", path=path, budget_s=self._look_budget_s())
        return (await self._api.get(request, read_session)).value

    async def _look_at_turn(self, session: Session, turn_id: str | None) -> WireTurn | None:
        """The question's turn as it is now; None as long as the server shows none."""
        if turn_id is None:
            return next(iter(await self._list_turns(session)), None)
        path = join_path("agents", "sessions", session.id, "turns", turn_id)
        request = Request(doing=f"waiting for the turn {turn_id}", path=path, budget_s=self._look_budget_s())
        return (await self._api.get(request, read_turn)).value

    async def _list_turns(self, session: Session) -> tuple[WireTurn, ...]:
        """The agent's own turns that were not there before, oldest first."""
        path = join_path("agents", "sessions", session.id, "turns")
        request = Request(doing=f"listing the turns of the session {session.id}", path=path, query={"order": "asc"})
        turns = await self._api.list_all(request, read_turn)
        return tuple(turn for turn in turns if turn.is_root and turn.id not in session.turn_ids)

    def _look_budget_s(self) -> float:
        # The last look may end a little late: better than to take a finished turn for one that hangs.
        return min(REQUEST_BUDGET_S, self._deadline.left_s() + CANCELLING_S)

    def _waited_s(self) -> float:
        return self._pace.clock() - self._started

    async def _answer_calls(self, session: Session, seen: WireSession, turn: WireTurn | None) -> str | None:
        """Answer what is not answered yet. Returns why the turn can't go on, None if it can."""
        if seen.demands:
            return f"the session waits for what nothing here gives: {', '.join(dict.fromkeys(seen.demands))}"
        calls = [(turn_id, call) for turn_id, call in seen.calls if call.id not in self._answers]
        if not calls or turn is None:
            return None
        waiting = [call for _, call in calls]
        if len(self._answers) >= MAX_CALLS:
            return f"the assistant still calls {list_names(waiting)} after {MAX_CALLS} calls; it was stopped"
        given = await answer_calls(self._question, waiting, self._deadline)
        if isinstance(given, str):
            return given
        for (turn_id, call), answer in zip(calls, given, strict=True):
            self._answers[call.id] = answer
            await self._send_result(session, turn_id, call, answer)
        return None

    async def _send_result(self, session: Session, turn_id: str, call: FunctionCall, answer: FunctionAnswer) -> None:
        event, key = result_event(turn_id, call, answer), uuid4().hex
        doing = f"answering the function {call.name} in the session {session.id}"
        for pause_s in (*_RACE_PAUSES_S, None):
            try:
                await _send_event(self._api, session.id, event, doing, key, REQUEST_BUDGET_S)
            except RemoteError as error:
                if error.status != 400 or _UNKNOWN_CALL not in str(error):
                    raise
                turn = await self._look_at_turn(session, turn_id)
                if turn is not None and turn.is_over:
                    return  # it has ended meanwhile, and its end tells why
                if pause_s is None:
                    raise
                await self._pace.sleep(pause_s)
            else:
                return

    async def _stop(self, session: Session, turn: WireTurn | None) -> str:
        """Cancel, and wait a moment for the end; what went wrong is returned: nobody can do anything about it."""
        try:
            await send_cancel(self._api, session.id)
            until = Deadline.after(CANCELLING_S, self._pace.clock)
            while turn is not None and not turn.is_over and until.left_s() > 0:
                turn = await self._look_at_turn(session, turn.id)
                await self._pace.sleep(self._pace.fastest_look_s)
        except RemoteError as error:
            return str(error)
        return "" if turn is None or turn.is_over else f"it was '{turn.status}' {CANCELLING_S:.0f} s later"

    async def _give_up(self, session: Session, turn: WireTurn | None, seen: WireSession) -> Played:
        waited, code = self._wait.describe(turn.status if turn else QUEUED, self._question.deadline_s)
        trouble = await self._stop(session, turn)
        ending = f"and could not be cancelled: {trouble}" if trouble else "and was cancelled"
        state = f"the turn was still '{turn.status}'" if turn else "the session had begun no turn"
        error = f"{state} after {waited} (its session: '{seen.status}'), {ending}"
        return Played(turn, seen, RunStatus.CANCELLED, error, code)


async def send_cancel(api: Api, session_id: str) -> None:
    event = {"type": "agent.session.input.cancel"}
    await _send_event(api, session_id, event, f"cancelling the session {session_id}", uuid4().hex, CANCELLING_S)


async def _send_event(
    api: Api, session_id: str, event: Mapping[str, object], doing: str, key: str, budget_s: float
) -> None:
    path = join_path("agents", "sessions", session_id, "events")
    await api.post_keyed(Request(doing=doing, path=path, body={"events": [event]}, budget_s=budget_s), key)
