"""How a standing file is cut up for search: the `chunking` of an item of `files`."""

from __future__ import annotations

from dataclasses import replace

from runner.config.document import Document, Mistake, Where
from runner.did_you_mean import quote
from runner.domain.files import Chunking, FileUse, LocalFile


def read_chunking(document: Document, item: object, where: Where) -> Chunking | None:
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
        document.report(Mistake(where=place, message=message, hint=f"at most {most} is accepted"))
        return None
    return Chunking(max_tokens=max_tokens, overlap_tokens=overlap_tokens)


def with_chunking(file: LocalFile, chunking: Chunking | None, document: Document, where: Where) -> LocalFile:
    """The file, to be cut up like that; reports a file that is not for search."""
    if chunking is None:
        return file
    if file.use is not FileUse.FILE_SEARCH:
        message = f"{quote(file.name)} is for {file.use.value}, which gets it whole"
        place = (*where, "chunking")
        document.report(Mistake(where=place, at_key=True, message=message, hint="chunking is for file_search alone"))
    return replace(file, chunking=chunking)
