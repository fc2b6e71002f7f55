"""How many tokens a run may still take and give, by estimates where nobody has counted."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from runner.server.engine.state.records import RunRecord, StepRecord, Tokens, ToolCall
from runner.server.inference import Scene, SceneMessage, Spent

WORDS_PER_TOKEN = 0.75
CONTEXT_TOKENS = 1_000_000
"""What the server takes for one question, with all that was said before it."""
PROMPT, COMPLETION = "max_prompt_tokens", "max_completion_tokens"


def count_tokens(text: str) -> int:
    """An estimate: a token is about three quarters of a word."""
    return math.ceil(len(text.split()) / WORDS_PER_TOKEN)


def sum_tokens(steps: tuple[StepRecord, ...]) -> Tokens:
    return sum((step.tokens for step in steps), Tokens())


def left_to_say(run: RunRecord, used: Tokens) -> int | None:
    """Tokens that the run may still give; None is any number."""
    return None if run.max_completion_tokens is None else max(0, run.max_completion_tokens - used.output)


def left_to_call(run: RunRecord, steps: tuple[StepRecord, ...]) -> int | None:
    """Calls of hosted tools that the run may still make; None is any number."""
    if run.max_tool_calls is None:
        return None
    return max(0, run.max_tool_calls - count_calls(steps))


def count_calls(steps: tuple[StepRecord, ...]) -> int:
    """The calls of hosted tools."""
    return sum(isinstance(call, ToolCall) for step in steps for call in step.calls)


def fit_scene(scene: Scene, run: RunRecord, used: Tokens) -> Scene:
    """The scene without the oldest messages, as far as the run's limit on the prompt, or the context, asks for it."""
    if run.max_prompt_tokens is not None:
        room = run.max_prompt_tokens - used.input
    elif run.truncates:
        room = CONTEXT_TOKENS
    else:
        return scene
    kept: list[SceneMessage] = []
    left = room - _count_fixed(scene)
    for message in reversed(scene.messages):
        left -= _count_message(message)
        if kept and left < 0:
            break
        kept.append(message)
    return replace(scene, messages=tuple(reversed(kept)))


def find_exceeded(scene: Scene, run: RunRecord, used: Tokens) -> str | None:
    """The limit that the run would break with its next move, if any."""
    if run.max_prompt_tokens is not None and used.input + count_prompt(scene) > run.max_prompt_tokens:
        return PROMPT
    return COMPLETION if left_to_say(run, used) == 0 else None


def count_prompt(scene: Scene) -> int:
    """An estimate of all that the inference is given to read."""
    return _count_fixed(scene) + sum(_count_message(message) for message in scene.messages)


def _count_message(message: SceneMessage) -> int:
    return count_tokens(message.text) + sum(count_tokens(file.text) for file in message.files)


def _count_fixed(scene: Scene) -> int:
    """What is in every prompt of the run, whatever is left out of the thread."""
    passages = sum(count_tokens(passage.text) for outcome in scene.outcomes for passage in outcome.passages)
    outputs = sum(count_tokens(outcome.said) + count_tokens(outcome.output) for outcome in scene.outcomes)
    return count_tokens(scene.instructions) + passages + outputs


def cut_to_fit(text: str, spent: Spent | None, left: int | None) -> str | None:
    """The text's beginning that fits into what was left to say; None if all of it does.

    What the inference counted goes before what we estimate.
    """
    if left is None or ((spent and spent.output_tokens) or count_tokens(text)) <= left:
        return None
    words = re.findall(r"\s*\S+", text)
    return "".join(words[: int(left * WORDS_PER_TOKEN)])
