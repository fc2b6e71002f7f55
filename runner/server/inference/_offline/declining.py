"""The one sentence that says why there is no answer."""

from __future__ import annotations

from runner.server.inference import Answer


def decline(reason: str) -> Answer:
    """A decline. `reason` is a clause in lower case, without a full stop; it may quote the user or a document."""
    text = (
        f"I can't answer this for sure ({' '.join(reason.split())}): no language model is connected, only offline "
        "rules; to connect one, give a target `inference: {base_url: ..., model: ...}` in assistants.yaml."
    )
    return Answer(text=text, declined=True)
