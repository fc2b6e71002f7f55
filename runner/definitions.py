"""The declared assistants for an app: what to send to the Responses API, read from the file instead of copied.

    from runner import definitions

    REQUEST = definitions.load("assistants.yaml")["travel-guide"].request("openai")
    response = OpenAI().responses.create(**REQUEST, input="What is worth seeing in Lyon?")

Light to import, and never on the network. Not here: what is printed for people (`runner export`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from runner.backends.foundry.wire import keyword_arguments, reference_body
from runner.backends.responses.bodies import Material, definition_body, settings_body
from runner.config import Configuration, load_configuration
from runner.config.declared_targets import find_target
from runner.did_you_mean import quote
from runner.domain.assistant import Assistant, History, Target
from runner.domain.conversation import StoreId
from runner.domain.files import FileUse
from runner.errors import ChangesPending, NotDeclared, UsageError
from runner.sync.desired import describe
from runner.sync.synced import read_synced, record_path
from runner.sync.tags import DEFINITION

FOUNDRY = "foundry"
"""The API where a request names what is stored."""
__all__ = ["Definition", "Definitions", "load", "request_body"]


def load(file: str | Path = "assistants.yaml", *, environment: Mapping[str, str] | None = None) -> Definitions:
    """Read a project's file; a relative path counts from the current folder, a folder means its `assistants.yaml`.

    `environment` (the process's own if None) is where `${env:NAME}` and `${secret:NAME}` come from.
    Raises ConfigError with every mistake in the file, UsageError if there is none. All errors are `RunnerError`s.
    Source of the format: docs/keys.md.
    """
    # An app's start-up is an entry point of its own, as `cli/` is the command line's.
    given = os.environ if environment is None else environment
    return Definitions(
        load_configuration(file=Path(file), scenario_paths=None, cwd=Path.cwd(), environment=dict(given))
    )


class Definitions(Mapping[str, "Definition"]):
    """The assistants of one file by address, in its order."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def __getitem__(self, address: str) -> Definition:
        """Raises NotDeclared, a KeyError that says which address was probably meant."""
        try:
            found = self._configuration.find_assistant(str(address))
        except UsageError as error:
            raise NotDeclared(str(error)) from None
        return Definition(assistant=found, configuration=self._configuration)

    def __iter__(self) -> Iterator[str]:
        return (one.address for one in self._configuration.project.assistants)

    def __len__(self) -> int:
        return len(self._configuration.project.assistants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One declared assistant. `assistant` is everything that the file says of it."""

    assistant: Assistant
    configuration: Configuration

    def request(self, target: str | None = None, *, vector_store_ids: Sequence[str] | None = None) -> dict[str, object]:
        """Keyword arguments for the SDK's `responses.create`, all but the input: a new dict each time, plain JSON.

        It has `model`, and as far as the file says them `instructions`, `tools`, `include`, `temperature`, `top_p`,
        `reasoning`, `text`, `max_output_tokens`, `store`; and `metadata`, with the definition's hash as
        `runner.definition`, as in reports of plays. On a target with `api: foundry` the agent's name stands for the
        definition (`extra_body`): its latest version answers. Secrets are filled in: don't log it.
        `target` is a name from the file; None is its default. Standing files of the code interpreter have no place in
        a request, and are not in it.

        Vector stores are those that `runner sync` recorded beside the file (`.runner/synced/TARGET.json`), if they
        were filled with exactly the files that are there now; `vector_store_ids` are taken as they are instead.
        Raises ChangesPending without such a record, UsageError for a target that is not declared, or a string where
        ids are expected.
        Source of the fields: OpenAI's reference, `POST /responses`.
        """
        where = find_target(self.configuration.project, target)
        if isinstance(vector_store_ids, str):
            raise UsageError(f"vector_store_ids is a list of ids, not {quote(vector_store_ids)}")
        if vector_store_ids is not None and where.api == FOUNDRY:
            raise UsageError("an agent of Foundry has its vector stores already: leave vector_store_ids out")
        store_ids = self._find_stores(where) if vector_store_ids is None else map(StoreId, vector_store_ids)
        body = request_body(self.assistant, where, tuple(store_ids), describe(self.assistant).definition_hash)
        return deepcopy(keyword_arguments(body))

    def _find_stores(self, target: Target) -> tuple[StoreId, ...]:
        assistant = self.assistant
        if target.api == FOUNDRY or not any(file.use is FileUse.FILE_SEARCH for file in assistant.files):
            return ()
        state = self.configuration.root / ".runner"
        synced = read_synced(state, target, self.configuration.project.namespace).get(assistant.address)
        verb = f"`runner sync --target {target.name}`"
        instead = "pass vector_store_ids=, or use what `runner export` prints"
        if synced is None:
            record = record_path(state, target).relative_to(state.parent)
            raise ChangesPending(
                f"'{assistant.address}' has files to search, and {record} knows no vector store "
                f"with them: run {verb} where the app is built and take that file along, {instead}"
            )
        if synced.search_mark != describe(assistant).search_mark:
            raise ChangesPending(
                f"the files that '{assistant.address}' searches are not those of the last {verb}: run it again where "
                f"the app is built, {instead}"
            )
        return synced.store_ids


def request_body(
    assistant: Assistant,
    target: Target,
    store_ids: Sequence[StoreId],
    definition_hash: str,
    *,
    stored_id: str | None = None,
) -> dict[str, object]:
    """What an app asks with on a target, and `runner export` prints: as play asks, without what is a play's own.

    Whatever API the target has, the request is for Responses: files and vector stores are the same service on all.
    Foundry has the definition; `stored_id` is as its backend has it, without it the latest version answers.
    """
    forgets = target.history is History.REPLAY
    material = Material(store_ids=tuple(store_ids), code_file_ids=())
    settings = settings_body(assistant, material, tags=None if forgets else {DEFINITION: definition_hash})
    if target.api == FOUNDRY:
        return reference_body(stored_id or assistant.address) | settings
    body = definition_body(assistant, material) | settings
    return {**body, "store": False} if forgets else body
