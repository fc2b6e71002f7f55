"""Offline: rules instead of a language model, small and frozen. Only tools look up and compute.

Each kind of question is a module with `answer(question)`: None says that the question is not of its kind. What a kind
isn't sure of is declined; so is what no kind knows. The rules see no instructions of the assistant's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from runner.server.inference import Answer, Inference, Scene, ToolRequest, Turnout, UseTools
from runner.server.inference.offline import calculations, facts, functions, memory
from runner.server.inference.offline.question import MAX_GIVEN_CHARACTERS, NotSure, Question, ToolNeeded

__all__ = ["MAX_GIVEN_CHARACTERS", "OfflineInference", "choose_move", "create"]

_DECLINE = (
    "I can't answer this for sure ({}): no language model is connected (`runner serve --inference URL`, or a target's "
    "`inference: {{base_url: URL, model: NAME}}`, connects one)."
)


KINDS: tuple[Callable[[Question], UseTools | Answer | None], ...] = (
    functions.answer,
    memory.answer,
    calculations.answer,
    facts.answer,
)
"""In this order: the first that knows a question has it. They raise NotSure, with the reason, or ToolNeeded."""
_NOTE = re.compile(r"^Attached files: /workspace/.*$", re.MULTILINE)


def create(settings: Mapping[str, object]) -> Inference:
    """The offline rules; they have no settings."""
    if settings:
        raise ValueError(f"the inference 'offline' has no settings, found: {', '.join(sorted(settings))}")
    return OfflineInference()


class OfflineInference:
    """Stateless: the same scene gets the same move. No tokens are counted: no model read or wrote any."""

    name = "offline"

    async def decide(self, scene: Scene) -> Turnout:
        return Turnout(move=choose_move(_without_notes(scene)), spent=None)


def _without_notes(scene: Scene) -> Scene:
    """Without the lines that say where in a workspace its files lie: they are given, and no part of the question."""
    told = (replace(message, text=_NOTE.sub("", message.text)) for message in scene.messages)
    return replace(scene, messages=tuple(told))


def choose_move(scene: Scene) -> UseTools | Answer:
    """The next move: a tool call, the answer, or a decline that says why."""
    try:
        return _keep_to_order(scene, _ask_kinds(Question(scene=scene)))
    except NotSure as unsure:
        # The reason may quote the user or a document.
        return Answer(text=_DECLINE.format(" ".join(str(unsure).split())), declined=True)


def _ask_kinds(question: Question) -> UseTools | Answer:
    if question.scene.response_format is not None:
        raise NotSure("the answer is to be in JSON")
    try:
        for kind in KINDS:
            if (move := kind(question)) is not None:
                return move
    except ToolNeeded as needed:
        return UseTools(requests=(needed.request,))
    except ArithmeticError:
        raise NotSure("the numbers are too large") from None
    raise NotSure("it is no question that the rules know")


def _keep_to_order(scene: Scene, move: UseTools | Answer) -> UseTools | Answer:
    """The move. Raises NotSure where the run asks for the call of a certain tool, and the rules have no use for it."""
    requests = move.requests if isinstance(move, UseTools) else ()
    called = {one.tool if isinstance(one, ToolRequest) else one.name for one in requests}
    wanted = scene.tool_choice
    if wanted not in {"auto", "none", *called} and not (wanted == "required" and called):
        raise NotSure(f"a tool is to be called (tool_choice: {wanted}), and it is of no use here")
    return move
