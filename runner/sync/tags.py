"""The tags that say whose a remote object is and what was applied to it.

All of them are metadata keys (64 characters at most, 16 keys an object); they are the only identity there is.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from runner.domain.assistant import Address, Namespace

NAMESPACE = "runner.namespace"
ADDRESS = "runner.address"
SPEC = "runner.spec"
"""What was applied to an assistant: an imprint (`comparing.py`), one hash for each field."""
ECHO = "runner.echo"
"""What the server made of it, where that was something else: an imprint of those fields alone."""
FILES = "runner.files"
"""Hash of the file list that was applied: the commit mark of a store, written last."""
PLAY = "runner.play"
"""On a play's temporary objects, in place of an address: sync never binds to them."""

DEFINITION = "runner.definition"
"""On what a play asks for: the hash of the definition that answers, so that an answer can be traced to it."""

TAGS_OF_OURS = 4
"""Metadata pairs that sync needs for itself on an assistant: namespace, address, spec, echo."""


def owner_tags(namespace: Namespace, address: Address) -> dict[str, str]:
    return {NAMESPACE: namespace, ADDRESS: address}


def belongs_to(metadata: Mapping[str, str], namespace: Namespace) -> bool:
    """Whether sync may touch an object: it is this namespace's, and no play's temporary one."""
    return metadata.get(NAMESPACE) == namespace and ADDRESS in metadata and PLAY not in metadata


def is_untagged(metadata: Mapping[str, str]) -> bool:
    return NAMESPACE not in metadata


def merge_metadata(
    theirs: Mapping[str, str], users: Mapping[str, str], ours: Mapping[str, str], *, dropped: Container[str] = ()
) -> dict[str, str]:
    """All metadata to send: an update replaces every key, so what others put there goes along.

    The file's keys win over theirs, our tags over both. A mark that no longer applies is dropped, and so are the
    keys in `dropped`.
    """
    kept = {key: value for key, value in theirs.items() if key not in (SPEC, ECHO, FILES) and key not in dropped}
    return {**kept, **users, **ours}
