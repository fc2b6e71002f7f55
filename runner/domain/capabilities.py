"""What an API can do, so that what can't be done is found before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend supports, in the words that users write.

    `stores_assistants`: a definition can be kept on the remote side; else it travels with every request.
    `tools` are names of hosted tools; `input_types` are extensions that `for: input` takes; `settings` are the
    assistant's keys beyond name, model, instructions, tools and files that are sent (temperature, top_p, ...).
    `least_output_tokens` is the smallest `max_output_tokens` that is taken.
    `json_object`: answers can be held to JSON without a schema. `plays_inline`: a candidate that isn't stored can be
    played as it is, without a temporary copy.
    `input_bytes` is what documents for the model's input may have together in one turn; None: no limit of its own.
    """

    stores_assistants: bool
    tools: frozenset[str]
    functions: bool
    input_types: frozenset[str]
    settings: frozenset[str]
    least_output_tokens: int = 1
    input_bytes: int | None = None
    json_object: bool = True
    plays_inline: bool = False
