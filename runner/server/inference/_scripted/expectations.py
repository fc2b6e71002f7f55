"""What a script expects of the scene: read from YAML, and held against a scene."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.server.inference import Role, Scene, ToolOutcome
from runner.server.inference._scripted.reader import Reader
from runner.server.inference._scripted.script import Expect
from runner.yaml_text import ListNode, MapNode, Node

_TEXTS = ("model", "tool_choice")
_SETS = ("tools", "functions", "attachments")
_CONTAINED = ("instructions_contain", "outputs_contain")


def read_expectation(reader: Reader, node: Node) -> Expect:
    entries = reader.mapping(node, (*_TEXTS, *_SETS, "messages", *_CONTAINED), what="expectation")
    if isinstance(node, MapNode) and not node.entries:
        reader.report(node, "nothing is expected")
    texts = {name: reader.text(entries[name]) for name in _TEXTS if name in entries}
    sets = {name: frozenset(_read_names(reader, entries[name])) for name in _SETS if name in entries}
    contained = {name: reader.texts(entries[name]) for name in _CONTAINED if name in entries}
    return Expect(
        where=reader.where(node),
        model=texts.get("model"),
        tool_choice=texts.get("tool_choice"),
        tools=sets.get("tools"),
        functions=sets.get("functions"),
        attachments=sets.get("attachments"),
        messages=reader.count(entries["messages"]) if "messages" in entries else None,
        instructions_contain=contained.get("instructions_contain", ()),
        outputs_contain=contained.get("outputs_contain", ()),
    )


def _read_names(reader: Reader, node: Node) -> tuple[str, ...]:
    """A list of names, which may be empty: nothing is on offer."""
    if isinstance(node, ListNode):
        return reader.texts(node)
    reader.report(node, "expected a list", "write [] for none")
    return ()


def explain_difference(expect: Expect, scene: Scene) -> str | None:
    """What the script expected and the scene does not hold; None if all holds."""
    differences = (*_differing_texts(expect, scene), *_differing_sets(expect, scene), *_missing_texts(expect, scene))
    if not differences:
        return None
    return f"the script's expectation at {expect.where} does not hold: {'; '.join(differences)}"


def _differing_texts(expect: Expect, scene: Scene) -> Iterator[str]:
    if expect.model not in (None, scene.model):
        yield f"model: expected {expect.model!r}, found {scene.model!r}"
    if expect.tool_choice not in (None, scene.tool_choice):
        yield f"tool_choice: expected {expect.tool_choice!r}, found {scene.tool_choice!r}"
    if expect.messages not in (None, len(scene.messages)):
        yield f"messages: expected {expect.messages}, found {len(scene.messages)}"


def _differing_sets(expect: Expect, scene: Scene) -> Iterator[str]:
    questions = (message for message in reversed(scene.messages) if message.role is Role.USER)
    attached = frozenset(next((message.filenames for message in questions), ()))
    pairs = (
        ("tools", expect.tools, scene.tools),
        ("functions", expect.functions, frozenset(function.name for function in scene.functions)),
        ("attachments", expect.attachments, attached),
    )
    for name, expected, found in pairs:
        if expected is not None and expected != found:
            yield f"{name}: expected {_list(expected)}, found {_list(found)}"


def _missing_texts(expect: Expect, scene: Scene) -> Iterator[str]:
    for text in expect.instructions_contain:
        if text not in scene.instructions:
            yield f"instructions: {text!r} is not in them"
    outputs = "\n".join(_read_outcome(outcome) for outcome in scene.outcomes)
    for text in expect.outputs_contain:
        if text not in outputs:
            yield f"outputs: {text!r} is in none of the {len(scene.outcomes)} outputs"


def _read_outcome(outcome: ToolOutcome) -> str:
    return "\n".join((outcome.output, *(passage.text for passage in outcome.passages)))


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(sorted(names))}]"
