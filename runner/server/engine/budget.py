"""How many tokens a run may still take and give, by estimates where nobody has counted."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from runner.server.engine.records import RunRecord, StepRecord, Tokens
from runner.server.inference import Scene, SceneMessage, Spent

WORDS_PER_TOKEN = 0.75
PROMPT, COMPLETION = "max_prompt_tokens", "max_completion_tokens"


def count_tokens(text: str) -> int:
    """An estimate: a token is about three quarters of a word."""
    return math.ceil(len(text.split()) / WORDS_PER_TOKEN)


def sum_tokens(steps: tuple[StepRecord, ...]) -> Tokens:
    return sum((step.tokens for step in steps), Tokens())


def left_to_say(run: RunRecord, used: Tokens) -> int | None:
    """Tokens that the run may still give; None is any number."""
    return None if run.max_completion_tokens is None else max(0, run.max_completion_tokens - used.output)


def fit_scene(scene: Scene, run: RunRecord, used: Tokens) -> Scene:
    """The scene without the oldest messages, as far as the run's limit on the prompt asks for it."""
    if run.max_prompt_tokens is None:
        return scene
    kept: list[SceneMessage] = []
    left = run.max_prompt_tokens - used.input - _count_fixed(scene)
    for message in reversed(scene.messages):
        left -= count_tokens(message.text)
        if kept and left < 0:
            break
        kept.append(message)
    return replace(scene, messages=tuple(reversed(kept)))


def find_exceeded(scene: Scene, run: RunRecord, used: Tokens) -> str | None:
    """The limit that the run would break with its next move, if any."""
    if run.max_prompt_tokens is not None:
        prompt = _count_fixed(scene) + sum(count_tokens(message.text) for message in scene.messages)
        if used.input + prompt > run.max_prompt_tokens:
            return PROMPT
    return COMPLETION if left_to_say(run, used) == 0 else None


def _count_fixed(scene: Scene) -> int:
    """What is in every prompt of the run, whatever is left out of the thread."""
    passages = sum(count_tokens(passage.text) for outcome in scene.outcomes for passage in outcome.passages)
    outputs = sum(count_tokens(outcome.output) for outcome in scene.outcomes)
    return count_tokens(scene.instructions) + passages + outputs


def cut_to_fit(text: str, spent: Spent, left: int | None) -> str | None:
    """The text's beginning that fits into what was left to say; None if all of it does.

    What the inference counted goes before what we estimate.
    """
    if left is None or (spent.output_tokens or count_tokens(text)) <= left:
        return None
    words = re.findall(r"\s*\S+", text)
    return "".join(words[: int(left * WORDS_PER_TOKEN)])
