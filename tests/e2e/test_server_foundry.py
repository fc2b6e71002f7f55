"""Foundry's face of the embedded server, driven by azure-ai-projects' own client and held against its models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from runner.plugins import load_plugin
from runner.server.embedded import start_embedded

if TYPE_CHECKING:  # it takes a second, which only who runs these tests need wait for
    from azure.ai.projects import AIProjectClient
    from azure.core.credentials import AccessToken

GUIDE = {"kind": "prompt", "model": "gpt-6-luna", "instructions": "You are a guide."}
SUM = "What is 23.75 + 15.50?"


def guide() -> Any:
    from azure.ai.projects.models import PromptAgentDefinition

    return PromptAgentDefinition(model=GUIDE["model"], instructions=GUIDE["instructions"])


@dataclass
class Clients:
    projects: AIProjectClient
    openai: OpenAI

    def ask(self, question: str = SUM, *, version: str | None = None, **more: Any) -> Any:
        reference = {"type": "agent_reference", "name": "guide", **({"version": version} if version else {})}
        return self.openai.responses.create(input=question, extra_body={"agent_reference": reference, **more})


class Nobody:
    def get_token(self, *_: object, **__: object) -> AccessToken:
        raise AssertionError("the policy has the key already")


@pytest.fixture
def with_clients(tmp_path: Path) -> Callable[[Callable[[Clients], object]], Any]:
    """Runs what it is given beside a server: the client is one that blocks."""

    from azure.ai.projects import AIProjectClient
    from azure.core.pipeline.policies import HeadersPolicy

    async def serve(work: Callable[[Clients], object]) -> object:
        inference = load_plugin("runner.server.inference", "offline").create({})
        async with start_embedded(tmp_path / "state", inference) as address:

            def use() -> object:
                endpoint = address.base_url.removesuffix("/v1") + "/api/projects/tests"
                # Azure's own policy sends tokens over https alone.
                policy = HeadersPolicy({"Authorization": f"Bearer {address.token}"})
                with AIProjectClient(endpoint, Nobody(), authentication_policy=policy) as projects:
                    openai = projects.get_openai_client(api_key=address.token, max_retries=0)
                    with openai:
                        return work(Clients(projects, openai))

            return await asyncio.to_thread(use)

    return lambda work: asyncio.run(serve(work))


def test_versions_are_made_listed_read_and_deleted(with_clients) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    def work(to: Clients) -> None:
        agents = to.projects.agents
        first = agents.create_version("guide", definition=guide(), metadata={"team": "a"}, description="Guide")
        agents.create_version("guide", definition={**GUIDE, "instructions": "Be short."})
        assert (first.id, first.version, first.metadata, first.draft) == ("guide:1", "1", {"team": "a"}, False)
        assert agents.get("guide").versions.latest.definition.instructions == "Be short."
        assert agents.get_version("guide", "1") == first
        assert [one.version for one in agents.list_versions("guide")] == ["2", "1"]
        assert [one.version for one in agents.list_versions("guide", order="asc", limit=1)] == ["1", "2"]
        assert agents.delete_version("guide", "2").deleted is True
        assert agents.get("guide").versions.latest.version == "1"
        assert agents.delete("guide").name == "guide"
        for gone in (lambda: agents.get("guide"), lambda: agents.delete("guide"), lambda: agents.get_version("g", "1")):
            with pytest.raises(ResourceNotFoundError, match="not found"):
                gone()

    with_clients(work)


def test_a_draft_is_there_for_those_who_name_it_and_never_the_latest(with_clients) -> None:
    def work(to: Clients) -> None:
        agents = to.projects.agents
        agents.create_version("guide", definition=guide())
        draft = agents.create_version("guide", definition={**GUIDE, "model": "candidate"}, draft=True)
        assert (draft.version, draft.draft) == ("2", True)
        assert agents.get("guide").versions.latest.version == "1"
        assert [one.versions.latest.version for one in agents.list()] == ["1"]
        assert [one.version for one in agents.list_versions("guide")] == ["1"]
        assert [one.version for one in agents.list_versions("guide", include_drafts=True)] == ["2", "1"]
        assert (to.ask().model, to.ask(version="2").model) == ("gpt-6-luna", "candidate")
        agents.create_version("new", definition=guide(), draft=True)
        with pytest.raises(NotFoundError, match="Version 'latest' of agent 'new' not found"):
            to.openai.responses.create(
                input=SUM, extra_body={"agent_reference": {"type": "agent_reference", "name": "new"}}
            )

    with_clients(work)


def test_all_agents_are_listed_whatever_the_page(with_clients) -> None:
    def work(to: Clients) -> None:
        agents = to.projects.agents
        for number in range(5):
            agents.create_version(f"agent-{number}", definition=guide())
        names = [f"agent-{number}" for number in range(5)]
        assert [one.name for one in agents.list(limit=2, order="asc")] == names
        assert [one.name for one in agents.list(kind="prompt", order="desc")] == names[::-1]
        assert list(agents.list(kind="hosted")) == []

    with_clients(work)


def test_a_response_follows_the_definition_it_names_and_shows_which(with_clients) -> None:
    def work(to: Clients) -> None:
        to.projects.agents.create_version("guide", definition={**GUIDE, "temperature": 0.25})
        answer = to.ask()
        assert answer.output_text == "That is 39.25."
        assert answer.agent_reference == {"type": "agent_reference", "name": "guide", "version": "1"}
        assert (answer.model, answer.instructions, answer.temperature) == ("gpt-6-luna", "You are a guide.", 0.25)
        conversation = to.openai.conversations.create()
        first = to.ask("My name is Ada.", conversation=conversation.id)
        second = to.ask("What is my name?", conversation=conversation.id)
        assert (first.status, "Ada" in second.output_text) == ("completed", True)
        reference = {"type": "agent_reference", "name": "guide", "version": "1"}
        with to.openai.responses.stream(
            input=SUM, model="gpt-6-luna", extra_body={"agent_reference": reference}
        ) as events:
            assert events.get_final_response().output_text == "That is 39.25."
        assert to.openai.responses.retrieve(answer.id).agent_reference == reference

    with_clients(work)


def test_the_tools_of_a_definition_work(with_clients) -> None:
    from azure.ai.projects.models import (
        AutoCodeInterpreterToolParam,
        CodeInterpreterTool,
        FileSearchTool,
        FunctionTool,
        PromptAgentDefinition,
        PromptAgentDefinitionTextOptions,
        TextResponseFormatJsonSchema,
    )

    def work(to: Clients) -> None:
        receipt = to.openai.files.create(file=("menu.md", b"Burger 23.75\n\nSoda 15.50\n"), purpose="assistants")
        store = to.openai.vector_stores.create(file_ids=[receipt.id])
        tools = [
            FileSearchTool(vector_store_ids=[store.id], max_num_results=3),
            CodeInterpreterTool(),
            FunctionTool(name="rate", parameters={"type": "object", "properties": {}}, strict=False),
        ]
        schema = TextResponseFormatJsonSchema(name="bill", schema={"type": "object"})
        to.projects.agents.create_version("guide", definition=PromptAgentDefinition(model="m", tools=tools))
        answer = to.ask("I had the burger and soda, how much should I pay for this meal?")
        assert "39.25" in answer.output_text
        assert {"file_search_call"} <= {item.type for item in answer.output}
        coded = CodeInterpreterTool(container=AutoCodeInterpreterToolParam(file_ids=[receipt.id]))
        text = PromptAgentDefinitionTextOptions(format=schema)
        to.projects.agents.create_version(
            "coder", definition=PromptAgentDefinition(model="m", tools=[coded], text=text)
        )
        latest = to.projects.agents.get("coder").versions.latest
        assert latest.definition.text.format.name == "bill"

    with_clients(work)


@pytest.mark.parametrize(
    "said",
    [
        {"tools": []},
        {"instructions": "Be rude."},
        {"text": {"format": {"type": "text"}}},
        {"temperature": 0.1},
        {"model": "another"},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_the_definition_says_may_not_be_said_again(with_clients, said: dict[str, object]) -> None:
    def work(to: Clients) -> None:
        to.projects.agents.create_version("guide", definition=guide())
        with pytest.raises(BadRequestError, match="Not allowed when agent is specified") as refused:
            to.ask(**said)
        assert refused.value.param == next(iter(said))

    with_clients(work)


def test_a_disabled_agent_answers_nobody(with_clients) -> None:
    def work(to: Clients) -> None:
        agents = to.projects.agents
        agents.create_version("guide", definition=guide())
        agents.disable("guide")
        assert (agents.get("guide").state, agents.get("guide").configuration_state) == ("disabled", "disabled")
        with pytest.raises(BadRequestError, match="is disabled"):
            to.ask()
        agents.enable("guide")
        assert to.ask().status == "completed"

    with_clients(work)


@pytest.mark.parametrize(
    ("name", "definition", "words"),
    [
        ("gu_ide", GUIDE, "Invalid agent name"),
        ("-guide", GUIDE, "Invalid agent name"),
        ("g" * 64, GUIDE, "Invalid agent name"),
        ("guide", {"kind": "prompt"}, "Missing required parameter: 'definition.model'"),
        ("guide", {"kind": "hosted", "model": "m"}, "definition.kind|Supported values are: 'prompt'"),
        ("guide", {**GUIDE, "tools": [{"type": "bing_grounding"}]}, "Supported values are"),
        ("guide", {**GUIDE, "skills": [{"name": "x"}]}, "skills"),
        ("guide", {**GUIDE, "nonsense": 1}, "nonsense"),
    ],
)
def test_what_can_not_be_an_agent_is_refused_in_azures_words(with_clients, name, definition, words) -> None:
    from azure.core.exceptions import HttpResponseError

    def work(to: Clients) -> None:
        with pytest.raises(HttpResponseError, match=words) as refused:
            to.projects.agents.create_version(name, body={"definition": dict(definition)})
        assert refused.value.status_code == 400
        assert refused.value.model.error.code
        assert list(to.projects.agents.list()) == []

    with_clients(work)


def test_openai_s_own_place_knows_no_agents(with_clients) -> None:
    def work(to: Clients) -> None:
        to.projects.agents.create_version("guide", definition=guide())
        plain = to.openai.with_options(base_url=str(to.openai.base_url).split("/api/")[0] + "/v1")
        with pytest.raises(BadRequestError, match="agent_reference"):
            plain.responses.create(
                input=SUM, model="m", extra_body={"agent_reference": {"type": "agent_reference", "name": "guide"}}
            )

    with_clients(work)


def test_the_version_of_the_api_has_to_be_said(with_clients) -> None:
    def work(to: Clients) -> None:
        root = str(to.openai.base_url).removesuffix("/openai/v1/")
        answer = to.openai._client.get(f"{root}/agents", headers={"authorization": f"Bearer {to.openai.api_key}"})
        assert (answer.status_code, "api-version" in answer.text) == (400, True)
        unsaid = to.openai._client.get(f"{root}/agents?api-version=v1")
        assert unsaid.status_code == 401

    with_clients(work)
