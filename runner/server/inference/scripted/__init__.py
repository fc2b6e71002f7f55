"""Scripted: the model's moves from a YAML file, for tests that must come out the same each time."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from runner.did_you_mean import suggest
from runner.errors import Location
from runner.plugins import load_plugin
from runner.server.inference import (
    Answer,
    Fail,
    Inference,
    Judged,
    Matter,
    Move,
    Passage,
    Role,
    Scene,
    SourceMark,
    Spent,
    Turnout,
    UseTools,
    estimate_tokens,
)
from runner.server.inference.scripted.script import (
    Call,
    Odds,
    Ruling,
    Say,
    ScriptFile,
    Stay,
    Step,
    StuckIn,
    Wait,
    explain_difference,
    read_scripts,
    shorten,
    spread,
)

Hear = Callable[[str], Awaitable[None]]

_MARK = re.compile(r"【([^【】]+)】")


def create(settings: Mapping[str, object]) -> Inference:
    """The scripts of the file `settings["script"]`. Raises ConfigError with all of its mistakes."""
    if set(settings) != {"script"}:
        raise ValueError(f"the inference 'scripted' has one setting, 'script', found: {', '.join(sorted(settings))}")
    path = Path(str(settings["script"]))
    return ScriptedInference(read_scripts(path, file=str(path)))


class ScriptedInference:
    """What is due follows from the question and the calls that were answered in this run.

    Where a script has `times`, or a ruling several answers, it also follows from how often the same was asked. What no
    script is for may be left to another adapter: its turnouts name it, and so does `name`.
    """

    def __init__(self, file: ScriptFile) -> None:
        self._file = file
        self._other: Inference | None = None
        if file.otherwise:
            self._other = load_plugin("runner.server.inference", file.otherwise).create({})
        self.name = f"scripted+{file.otherwise}" if file.otherwise else "scripted"
        self._asked: Counter[int] = Counter()
        self._begun: Counter[tuple[int, int]] = Counter()

    async def admit(self, scene: Scene) -> None:
        """Returns when the run may begin; never, if the script keeps it queued."""
        step = self._find_step(scene, begins=False)
        if isinstance(step, Step) and step.act == Stay(state=StuckIn.QUEUED):
            await _stay()

    async def decide(self, scene: Scene) -> Turnout:
        return await self.decide_aloud(scene, _hear_nothing)

    async def decide_aloud(self, scene: Scene, hear: Hear) -> Turnout:
        step = self._find_step(scene, begins=not scene.outcomes)
        if step is None and self._other is not None:
            return replace(await self._other.decide(scene), by=self._other.name)
        if not isinstance(step, Step):
            return Turnout(move=step or self._miss(scene))
        for before in step.before:
            if isinstance(before, Wait):
                await asyncio.sleep(before.seconds)
            elif (difference := explain_difference(before, scene)) is not None:
                return Turnout(move=_fail(difference))
        move = await _act(step, scene, hear)
        return Turnout(move=move, spent=(step.spent or _estimate(scene, move)) if step.tells_spent else None)

    def _find_step(self, scene: Scene, *, begins: bool) -> Step | Fail | None:
        """The step that is due, a failure if it has none; None if no script fits. A run that `begins` is counted."""
        question = _question_of(scene)
        for number, script in enumerate(self._file.scripts):
            try:
                fits = script.question.fits(question) and self._has_its_turn(number, question, scene, begins=begins)
            except TimeoutError:
                return _fail(f"the regular expression of the script at {script.where} takes too long")
            if fits:
                answered = len(scene.outcomes)
                return script.step_after(answered) or _fail(
                    f"the script at {script.where} has no move after {answered} answered calls"
                )
        return None

    def _miss(self, scene: Scene) -> Fail:
        hint = "write one, or `otherwise: offline` at the top, which leaves such questions to the offline rules"
        question = shorten(_question_of(scene), 80)
        return _fail(f"no script in {self._file.file} is for the question {question!r}; {hint}")

    def _has_its_turn(self, number: int, question: str, scene: Scene, *, begins: bool) -> bool:
        """Whether a script that fits is still played, and not the next one instead."""
        times = self._file.scripts[number].times
        if times is None:
            return True
        key = (number, hash(question))
        self._begun[key] += begins
        # A run that has not begun to be counted would be the next.
        return self._begun[key] + (not begins and not scene.outcomes) <= times

    async def judge(self, matter: Matter) -> Judged | Fail:
        text = "\n".join(exhibit.text for exhibit in matter.exhibits)
        spent, answers = Spent(), []
        try:
            for question in matter.questions:
                ruling = self._find_ruling(question.instructions, text)
                spent = ruling.spent or spent
                await asyncio.sleep(ruling.wait_s)
                said = self._rule(ruling, question.instructions, text)
                if isinstance(said, Fail):
                    return said
                answers.append(spread(ruling, said, question))
        except (ValueError, TimeoutError) as mistake:
            return _fail(str(mistake))
        if spent == Spent():
            read = " ".join([text, *(question.instructions for question in matter.questions)])
            spent = Spent(input_tokens=estimate_tokens(read), output_tokens=len(answers))
        return Judged(probabilities=tuple(answers), spent=spent)

    def _find_ruling(self, question: str, text: str) -> Ruling:
        """Raises ValueError if there is none, TimeoutError if a regular expression takes too long."""
        for ruling in self._file.rulings:
            try:
                if ruling.question.fits(question) and ruling.about.fits(text):
                    return ruling
            except TimeoutError:
                raise TimeoutError(f"the regular expression of the ruling at {ruling.where} takes too long") from None
        raise ValueError(f"no ruling in {self._file.file} is for the question {shorten(question, 80)!r}")

    def _rule(self, ruling: Ruling, question: str, text: str) -> Odds | Fail:
        if len(ruling.says) == 1:
            return ruling.says[0]
        key = hash((question, text))
        said = ruling.says[min(self._asked[key], len(ruling.says) - 1)]
        self._asked[key] += 1
        return said


def _question_of(scene: Scene) -> str:
    return next((message.text for message in reversed(scene.messages) if message.role is Role.USER), "")


async def _act(step: Step, scene: Scene, hear: Hear) -> Move:
    match step.act:
        case Call(requests=requests, saying=saying):
            return UseTools(requests=requests, text=saying, where=str(step.where))
        case Say() as say:
            return await _say(say, scene, hear, where=step.where)
        case Stay():
            await _stay()
            raise AssertionError("a stay has no end")
        case move:
            return move


async def _say(say: Say, scene: Scene, hear: Hear, *, where: Location) -> Answer | Fail:
    found = {passage.filename: passage for outcome in scene.outcomes for passage in outcome.passages}
    for name in (name for piece in say.pieces for name in _MARK.findall(piece)):
        if name not in found:
            hint = suggest(name, found, kind="it found") or "it found nothing"
            return _fail(f"the answer at {where} cites {name!r}, which file search did not find in this run; {hint}")
    text, sources = "", []
    for number, piece in enumerate(say.pieces):
        if number:
            await asyncio.sleep(say.pause_s)
        plain, marks = _take_marks(piece, len(text), found)
        sources += marks
        text += plain
        if plain:
            await hear(plain)
    return Answer(text=text, sources=tuple(sources), declined=say.declined)


def _take_marks(piece: str, begin: int, found: Mapping[str, Passage]) -> tuple[str, list[SourceMark]]:
    """A piece without its `【name】`s, and those as marks; `begin` is the piece's place in the answer."""
    plain, marks = "", []
    for index, part in enumerate(_MARK.split(piece)):
        if index % 2 == 0:
            plain += part
        else:
            source = found[part]
            marks.append(SourceMark(position=begin + len(plain), file_id=source.file_id, filename=source.filename))
    return plain, marks


def _estimate(scene: Scene, move: Move) -> Spent:
    said = str(move.requests) if isinstance(move, UseTools) else getattr(move, "text", "")
    read = " ".join((scene.instructions, *(message.text for message in scene.messages)))
    return Spent(input_tokens=estimate_tokens(read), output_tokens=estimate_tokens(said))


def _fail(message: str) -> Fail:
    """What is wrong with the script: no error that passes, so that nobody asks again."""
    return Fail(code="invalid_prompt", message=message)


async def _hear_nothing(_: str) -> None:
    """For who doesn't listen."""


async def _stay() -> None:
    """Until the run is cancelled or expires, which cancels this."""
    await asyncio.Event().wait()
