"""A YAML file to scripts, or all of its mistakes at once."""

from __future__ import annotations

from pathlib import Path

import regex

from runner.server.inference import Spent
from runner.server.inference._scripted.acts import EXPIRE, MOVES, read_act
from runner.server.inference._scripted.expectations import read_expectation
from runner.server.inference._scripted.reader import Reader
from runner.server.inference._scripted.script import (
    AboutQuestion,
    Act,
    Call,
    Expect,
    Script,
    ScriptFile,
    Stay,
    Step,
    StuckIn,
    Wait,
)
from runner.yaml_text import MapNode, Node, TextNode, read_yaml

_BEFORE = ("expect", "wait")
_BESIDE = ("tokens",)
_SCRIPT = ("question", "moves")


def read_scripts(path: Path, *, file: str) -> ScriptFile:
    """The scripts of a file; `file` is its name in messages."""
    parsed = read_yaml(path, file=file)
    if parsed.root is None:
        return ScriptFile(problems=parsed.problems)
    reader = Reader(file)
    top = reader.mapping(parsed.root, ("scripts",), needed=("scripts",))
    nodes = reader.items(top["scripts"]) if "scripts" in top else ()
    scripts = tuple(_read_script(reader, node) for node in nodes)
    problems = sorted((*parsed.problems, *reader.problems), key=lambda problem: (problem.line, problem.column))
    return ScriptFile(scripts=() if problems else scripts, problems=tuple(problems))


def _read_script(reader: Reader, node: Node) -> Script:
    entries = reader.mapping(node, _SCRIPT, needed=_SCRIPT)
    question = _read_question(reader, entries["question"]) if "question" in entries else AboutQuestion()
    steps = _read_steps(reader, entries["moves"]) if "moves" in entries else ()
    return Script(where=reader.where(node), question=question, steps=steps)


def _read_question(reader: Reader, node: Node) -> AboutQuestion:
    if isinstance(node, TextNode):
        if node.text != "any":
            reader.report(node, f"expected `any` or a mapping, found {node.text!r}", "write {contains: TEXT}")
        return AboutQuestion()
    entries = reader.mapping(node, ("contains", "matches"), what="condition")
    if isinstance(node, MapNode) and not node.entries:
        reader.report(node, "there is no condition", "write `question: any` for every question")
    contains = reader.texts(entries["contains"]) if "contains" in entries else ()
    written = reader.text(entries["matches"]) if "matches" in entries else None
    if written is None:
        return AboutQuestion(contains=contains)
    try:
        return AboutQuestion(contains=contains, pattern=regex.compile(written, regex.IGNORECASE))
    except regex.error as error:
        reader.report(entries["matches"], f"this is no regular expression: {error}")
        return AboutQuestion(contains=contains)


def _read_steps(reader: Reader, node: Node) -> tuple[Step, ...]:
    steps: list[Step] = []
    before: list[Wait | Expect] = []
    for item in reader.items(node):
        if steps and not isinstance(steps[-1].act, Call):
            reader.report(item, "no move can follow the one that ends the run", "move it up, or remove it")
            return tuple(steps)
        read = _read_move(reader, item)
        if isinstance(read, Wait | Expect):
            before.append(read)
        elif read is not None:
            _check_queue(reader, item, read.act, is_first=not steps and not before)
            steps.append(Step(before=tuple(before), act=read.act, spent=read.spent))
            before = []
    if not reader.problems and (before or isinstance(steps[-1].act, Call)):
        hint = "end with say, refuse, fail, incomplete, expire or stay"
        reader.report(node, "after the last of these moves the run has no end", hint)
    return tuple(steps)


def _check_queue(reader: Reader, node: Node, act: Act, *, is_first: bool) -> None:
    if isinstance(act, Stay) and act.state is StuckIn.QUEUED and not is_first:
        reader.report(node, "only a run that has not begun can stay queued", "make it the script's only move")


def _read_move(reader: Reader, node: Node) -> Wait | Expect | Step | None:
    if isinstance(node, TextNode) and node.text == EXPIRE:
        act = read_act(reader, EXPIRE, node, {})
        return None if act is None else Step(before=(), act=act)
    beside = (*_BESIDE, "saying")
    entries = reader.mapping(node, (*_BEFORE, *MOVES, *beside), what="move")
    kinds = [key for key in entries if key not in beside]
    if not kinds:
        if entries:
            reader.report(node, "there is no move beside this")
        return None
    if len(kinds) > 1:
        reader.report(node, f"{len(kinds)} moves in one item: {', '.join(kinds)}", "begin each with '- '")
        return None
    (kind,) = kinds
    if kind in _BEFORE:
        _refuse_beside(reader, entries, beside, kind)
        return _read_before(reader, kind, entries[kind])
    _refuse_beside(reader, entries, ("saying",) if kind != "call" else (), kind)
    act = read_act(reader, kind, entries[kind], entries)
    spent = _read_tokens(reader, entries["tokens"]) if "tokens" in entries else None
    return None if act is None else Step(before=(), act=act, spent=spent)


def _refuse_beside(reader: Reader, entries: object, unfit: tuple[str, ...], kind: str) -> None:
    assert isinstance(entries, dict)
    for key in unfit:
        if key in entries:
            reader.report(entries[key], f"{key!r} has no meaning beside {kind!r}", "remove it")


def _read_before(reader: Reader, kind: str, node: Node) -> Wait | Expect | None:
    if kind == "expect":
        return read_expectation(reader, node)
    seconds = reader.number(node)
    return None if seconds is None else Wait(seconds=seconds)


def _read_tokens(reader: Reader, node: Node) -> Spent:
    entries = reader.mapping(node, ("input", "output"))
    counts = {key: reader.count(value) or 0 for key, value in entries.items()}
    return Spent(input_tokens=counts.get("input", 0), output_tokens=counts.get("output", 0))
