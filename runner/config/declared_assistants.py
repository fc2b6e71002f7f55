"""`assistants.yaml` to assistants."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.config.declared_tools import read_functions, read_tools, report_unfit_schema
from runner.config.expectations import Declared
from runner.config.paths import Recipient, Reporting, Unusable, expand_glob, find_file, read_file_item
from runner.did_you_mean import find_similar, quote
from runner.domain.assistant import Address, Assistant, Function, PlainFormat, ResponseFormat, SchemaFormat, Tool
from runner.domain.files import Chunking, FileUse, LocalFile
from runner.errors import Problem
from runner.yaml_text import read_text
from runner.yaml_text.reading import MAX_TEXT_LENGTH
from runner.yaml_text.yaml_document import Where, YamlDocument, as_json

_Body = Mapping[str, Any]

KEY = "response_format"
JSON_SCHEMA = "json_schema"


def read_assistants(document: YamlDocument, settings: _Body, root: Path) -> Iterator[tuple[Declared, Assistant | None]]:
    """The assistants of a file as far as they are sound; those with mistakes, which are reported, are no Assistant."""
    declared = settings.get("assistants")
    if not isinstance(declared, dict):
        return
    _report_equal_addresses(document, declared)
    for address, body in declared.items():
        if isinstance(body, dict):
            yield _read_assistant(document, Address(address), body, root)


def _report_equal_addresses(document: YamlDocument, declared: _Body) -> None:
    first: dict[str, str] = {}
    for address in declared:
        earlier = first.setdefault(address.casefold(), address)
        if earlier != address:
            line = document.location(("assistants", earlier), at_key=True).line
            message = f"{quote(address)} differs from {quote(earlier)} on line {line} only in case"
            document.report(("assistants", address), message, "addresses must be unique", at_key=True)


def _read_assistant(
    document: YamlDocument, address: Address, body: _Body, root: Path
) -> tuple[Declared, Assistant | None]:
    where: Where = ("assistants", address)
    tools = read_tools(document, body, where)
    files = _read_files(document, body, where, root, tools)
    functions = read_functions(document, where, root)
    instructions = _read_instructions(document, body, where, root)
    response_format = read_response_format(document, body, where)
    declared = _declare(document, address, body, tools, functions, files)
    if not document.is_sound(where):
        return declared, None
    return declared, Assistant(
        address=address,
        location=document.location(where, at_key=True),
        name=body.get("name", address),
        model=body["model"],
        instructions=instructions,
        tools=tools,
        files=files,
        functions=functions,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        reasoning_effort=body.get("reasoning", {}).get("effort"),
        response_format=response_format,
        max_output_tokens=body.get("max_output_tokens"),
        metadata=dict(body.get("metadata", {})),
        places={key: document.location((*where, key), at_key=True) for key in body},
    )


def _declare(
    document: YamlDocument,
    address: Address,
    body: _Body,
    tools: tuple[Tool, ...],
    functions: tuple[Function, ...],
    files: tuple[LocalFile, ...],
) -> Declared:
    where: Where = ("assistants", address)
    # A key with a mistake may be meant for one that isn't there.
    unsound = [key for key in body if not document.is_sound((*where, key))]
    hidden = {
        key for key in ("tools", "functions", "files") if key not in body and unsound and find_similar(key, unsound)
    }
    items = body.get("functions", [])
    names = [one.get("name") if isinstance(one, dict) else None for one in items] if isinstance(items, list) else [None]
    is_named = "functions" not in hidden and all(isinstance(one, str) for one in names)
    has_tools, has_files = (key not in hidden and document.is_sound((*where, key)) for key in ("tools", "files"))
    return Declared(
        address=address,
        tools=frozenset(tool.name.value for tool in tools) if has_tools else None,
        functions=functions,
        function_names=frozenset(map(str, names)) if is_named else None,
        files=frozenset(file.name for file in files) if has_tools and has_files else None,
    )


def _read_instructions(document: YamlDocument, body: _Body, where: Where, root: Path) -> str:
    key: Where = (*where, "instructions_file")
    if "instructions_file" not in body:
        return str(body.get("instructions", ""))
    if "instructions" in body:
        message = "`instructions` and `instructions_file` exclude each other"
        document.report(key, message, "remove one of them", at_key=True)
    if not document.is_sound(key):
        return ""
    with Reporting(document, key):
        return _read_text_file(str(body["instructions_file"]), document.folder, root)
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
    document: YamlDocument, body: _Body, where: Where, root: Path, tools: tuple[Tool, ...]
) -> tuple[LocalFile, ...]:
    where = (*where, "files")
    if "files" not in body or not document.is_sound(where):
        return ()
    recipient = None
    if document.is_sound((*where[:-1], "tools")):
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
                line = named[file.path].location.line
                document.report(place, f"{quote(file.name)} is also listed on line {line}", "keep one of the two")
            (matched if is_glob else named)[file.path] = with_chunking(file, chunking, document, place)
    # What is named by itself has the say over what a glob also matches.
    files = tuple((matched | named).values())
    _report_equal_names(document, files, where)
    return files


def _expand(item: str | _Body, where: Where, document: YamlDocument, root: Path) -> tuple[str | _Body, ...]:
    """An item for each file that its glob matches."""
    pattern, place = (item, where) if isinstance(item, str) else (item["file"], (*where, "file"))
    names: tuple[str, ...] = ()
    with Reporting(document, place):
        names = expand_glob(pattern, folder=document.folder, root=root)
    return names if isinstance(item, str) else tuple({**item, "file": name} for name in names)


def _report_equal_names(document: YamlDocument, files: tuple[LocalFile, ...], where: Where) -> None:
    """Names are all that a citation shows, so two files of one assistant must not share theirs."""
    first: dict[str, LocalFile] = {}
    for file in files:
        earlier = first.setdefault(file.name.casefold(), file)
        if earlier is not file:
            both = " and ".join(str(one.path.relative_to(document.folder.resolve())) for one in (earlier, file))
            document.report(where, f"two files would have the same name: {both}", "rename one of them", at_key=True)


def read_response_format(document: YamlDocument, body: Mapping[str, Any], where: Where) -> ResponseFormat | None:
    """The format of the assistant at `where`; None if it has none, or a mistake hides it."""
    place = (*where, KEY)
    written = body.get(KEY)
    if written is None or not document.is_sound(place):
        return None
    if isinstance(written, str):
        return PlainFormat(written)
    given = as_json(written[JSON_SCHEMA])
    report_unfit_schema(
        document, given["schema"], (*place, JSON_SCHEMA, "schema"), is_strict=given.get("strict", False)
    )
    return SchemaFormat(**given)


def read_chunking(document: YamlDocument, item: object, where: Where) -> Chunking | None:
    """What a validated item says; None where it says nothing, or after reporting a mistake."""
    said = item.get("chunking") if isinstance(item, dict) else None
    if said is None:
        return None
    max_tokens = int(said["max_tokens"])
    most = max_tokens // 2
    overlap_tokens = int(said.get("overlap_tokens", most))
    if overlap_tokens > most:
        message = f"an overlap of {overlap_tokens} tokens is more than half of max_tokens, {max_tokens}"
        place = (*where, "chunking", "overlap_tokens")
        document.report(place, message, f"at most {most} is accepted")
        return None
    return Chunking(max_tokens=max_tokens, overlap_tokens=overlap_tokens)


def with_chunking(file: LocalFile, chunking: Chunking | None, document: YamlDocument, where: Where) -> LocalFile:
    """The file, to be cut up like that; reports a file that is not for search."""
    if chunking is None:
        return file
    if file.use is not FileUse.FILE_SEARCH:
        message = f"{quote(file.name)} is for {file.use.value}, which gets it whole"
        place = (*where, "chunking")
        document.report(place, message, "chunking is for file_search alone", at_key=True)
    return replace(file, chunking=chunking)
