"""Where in the file to mend what the remote side refuses."""

from __future__ import annotations

from runner.domain.assistant import Assistant
from runner.errors import ModelMissing, RemoteError


def explain(error: RemoteError, assistant: Assistant) -> str:
    """The error's message; behind the place of the model's name, if it is the model that isn't there."""
    if not isinstance(error, ModelMissing):
        return str(error)
    return f"{assistant.place_of('model')}: model '{assistant.model}': {error}"
