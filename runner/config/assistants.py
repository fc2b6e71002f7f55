"""`assistants.yaml` to assistants."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.config.attachments import Recipient, Unusable, expand_glob, find_file, read_file_item
from runner.config.chunking import read_chunking, with_chunking
from runner.config.document import Document, Mistake, Where
from runner.config.functions import read_functions
from runner.config.response_formats import read_response_format
from runner.config.schema import MAX_TEXT_LENGTH
from runner.config.tools import read_tools
from runner.did_you_mean import quote
from runner.domain.assistant import Address, Assistant, Tool
from runner.domain.files import LocalFile
from runner.errors import Problem
from runner.yaml_text import read_text

_Body = Mapping[str, Any]


def read_assistants(document: Document, settings: _Body, root: Path) -> Iterator[Assistant]:
    """The assistants of a file, those with mistakes left out after reporting them."""
    declared = settings.get("assistants")
    if not isinstance(declared, dict):
        return
    _report_equal_addresses(document, declared)
    for address, body in declared.items():
        if isinstance(body, dict):
            assistant = _read_assistant(document, Address(address), body, root)
            if document.is_sound(("assistants", address)) and assistant is not None:
                yield assistant


def _report_equal_addresses(document: Document, declared: _Body) -> None:
    first: dict[str, str] = {}
    for address in declared:
        earlier = first.setdefault(address.casefold(), address)
        if earlier != address:
            line = document.location(("assistants", earlier), at_key=True).line
            message = f"{quote(address)} differs from {quote(earlier)} on line {line} only in case"
            document.report(
                Mistake(where=("assistants", address), at_key=True, message=message, hint="addresses must be unique")
            )


def _read_assistant(document: Document, address: Address, body: _Body, root: Path) -> Assistant | None:
    where: Where = ("assistants", address)
    tools = read_tools(document, body, where)
    files = _read_files(document, body, where, root, tools)
    functions = read_functions(document, body, where, root)
    instructions = _read_instructions(document, body, where, root)
    response_format = read_response_format(document, body, where)
    if not document.is_sound(where):
        return None
    return Assistant(
        address=address,
        location=document.location(where, at_key=True),
        name=body.get("name", address),
        model=body["model"],
        instructions=instructions,
        tools=tools,
        files=files,
        functions=functions,
        temperature=_decimal(body.get("temperature")),
        top_p=_decimal(body.get("top_p")),
        reasoning_effort=body.get("reasoning", {}).get("effort"),
        response_format=response_format,
        max_output_tokens=body.get("max_output_tokens"),
        metadata=dict(body.get("metadata", {})),
        places={key: document.location((*where, key), at_key=True) for key in body},
    )


def _decimal(value: object) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


def _read_instructions(document: Document, body: _Body, where: Where, root: Path) -> str:
    key: Where = (*where, "instructions_file")
    if "instructions_file" not in body:
        return str(body.get("instructions", ""))
    if "instructions" in body:
        message = "`instructions` and `instructions_file` exclude each other"
        document.report(Mistake(where=key, at_key=True, message=message, hint="remove one of them"))
    if not document.is_sound(key):
        return ""
    try:
        return _read_text_file(str(body["instructions_file"]), document.folder, root)
    except Unusable as error:
        document.report(error.at(key))
        return ""


def _read_text_file(named: str, folder: Path, root: Path) -> str:
    text = read_text(find_file(named, folder=folder, root=root), file=named)
    if isinstance(text, Problem):
        raise Unusable(f"{quote(named)}, line {text.line}: {text.message}", text.hint)
    if not text.strip():
        raise Unusable(f"{quote(named)} is empty")
    if len(text) > MAX_TEXT_LENGTH:
        raise Unusable(f"{quote(named)} has {len(text):,} characters; at most {MAX_TEXT_LENGTH:,} are accepted")
    return text.strip()


def _read_files(
    document: Document, body: _Body, where: Where, root: Path, tools: tuple[Tool, ...]
) -> tuple[LocalFile, ...]:
    where = (*where, "files")
    if "files" not in body or not document.is_sound(where) or not document.is_sound((*where[:-1], "tools")):
        return ()
    recipient = Recipient(tools=frozenset(tool.name.value for tool in tools), takes_input=False)
    named: dict[Path, LocalFile] = {}
    matched: dict[Path, LocalFile] = {}
    for index, item in enumerate(body["files"]):
        place = (*where, index)
        pattern = item["file"] if isinstance(item, dict) else item
        is_glob = glob.has_magic(pattern) and not (document.folder / pattern).exists()
        chunking = read_chunking(document, item, place)
        for one in _expand(item, place, document, root) if is_glob else (item,):
            file = read_file_item(one, place, document, root=root, recipient=recipient)
            if file is None:
                continue
            if not is_glob and file.path in named:
                document.report(_explain_repetition(file, named[file.path], place))
            (matched if is_glob else named)[file.path] = with_chunking(file, chunking, document, place)
    # What is named by itself has the say over what a glob also matches.
    files = tuple((matched | named).values())
    _report_equal_names(document, files, where)
    return files


def _expand(item: str | _Body, where: Where, document: Document, root: Path) -> tuple[str | _Body, ...]:
    """An item for each file that its glob matches."""
    pattern, place = (item, where) if isinstance(item, str) else (item["file"], (*where, "file"))
    try:
        names = expand_glob(pattern, folder=document.folder, root=root)
    except Unusable as error:
        document.report(error.at(place))
        return ()
    return names if isinstance(item, str) else tuple({**item, "file": name} for name in names)


def _explain_repetition(file: LocalFile, earlier: LocalFile, where: Where) -> Mistake:
    message = f"{quote(file.name)} is also listed on line {earlier.location.line}"
    return Mistake(where=where, message=message, hint="keep one of the two")


def _report_equal_names(document: Document, files: tuple[LocalFile, ...], where: Where) -> None:
    """Names are all that a citation shows, so two files of one assistant must not share theirs."""
    first: dict[str, LocalFile] = {}
    for file in files:
        earlier = first.setdefault(file.name.casefold(), file)
        if earlier is not file:
            both = " and ".join(str(one.path.relative_to(document.folder.resolve())) for one in (earlier, file))
            message = f"two files would have the same name: {both}"
            document.report(Mistake(where=where, at_key=True, message=message, hint="rename one of them"))
