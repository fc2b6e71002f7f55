"""What a target's API takes at most, checked on this machine before the first call.

What every API limits alike (sizes of files, lengths of metadata) is checked when the file is read: `config/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.backends import Limits
from runner.domain.assistant import Assistant
from runner.domain.files import FileUse
from runner.errors import Problem

TAGS_OF_OURS = 4
"""Metadata pairs that sync needs for itself: namespace, address, spec, echo."""


def find_excesses(assistants: Sequence[Assistant], limits: Limits, *, target: str) -> tuple[Problem, ...]:
    """Everything that the target's API would refuse, each at its place in the file."""
    return tuple(problem for one in assistants for problem in _check(one, limits, f"target '{target}'"))


def _check(assistant: Assistant, limits: Limits, target: str) -> Iterator[Problem]:
    texts = (
        ("name", len(assistant.name), limits.name_characters),
        ("instructions", len(assistant.instructions), limits.instructions_characters),
    )
    for field, length, most in texts:
        if most is not None and length > most:
            yield _problem(assistant, field, f"{length:,} characters; {target} takes {most:,}", "shorten it")
    code_files = sum(file.use is FileUse.CODE_INTERPRETER for file in assistant.files)
    tools = len(assistant.tools) + len(assistant.functions)
    tools_key = "tools" if assistant.tools else "functions"
    counts = (
        (tools_key, tools, limits.tools, ", functions included" if assistant.functions else ""),
        ("files", code_files, limits.code_files, " for code_interpreter"),
        ("metadata", len(assistant.metadata), limits.metadata_pairs - TAGS_OF_OURS, f" beside {TAGS_OF_OURS} of ours"),
    )
    for field, count, most, what in counts:
        if most is not None and count > most:
            yield _problem(assistant, field, f"{count}; {target} takes {most}{what}", "remove some")


def _problem(assistant: Assistant, field: str, message: str, hint: str) -> Problem:
    # Instructions may stand in a file of their own.
    where = assistant.place_of(field if field in assistant.places else f"{field}_file")
    return where.problem(message, path=f"assistants.{assistant.address}.{field}", hint=hint)
