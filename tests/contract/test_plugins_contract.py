"""What every face, hosted tool and inference adapter must keep to; a new one is found and tested by itself.

Checks, backends, ways to answer functions and reports have files of their own.
"""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import unquote, urlsplit

import pytest
from openai.resources.beta import agents
from openai_schemas import OPENAPI

from runner.domain.assistant import ToolName
from runner.errors import RunnerError
from runner.plugins import load_plugin, plugin_names
from runner.server.app import routes_of
from runner.server.engine.core import open_engine
from runner.server.inference import Inference, ToolRequest
from runner.server.inference.offline import create as create_offline
from runner.server.tools import HostedTool, ToolContext, ToolSettings

ROOT = Path(__file__).parents[2]
FACES, TOOLS, INFERENCE = "runner.server.faces", "runner.server.tools", "runner.server.inference"
PLUGINS = [(package, name) for package in (FACES, TOOLS, INFERENCE) for name in plugin_names(package)]


def docs() -> str:
    return "\n".join(page.read_text("utf-8") for page in sorted((ROOT / "docs").glob("*.md")))


@pytest.mark.parametrize(("package", "name"), PLUGINS)
def test_its_module_says_in_one_sentence_what_it_is(package: str, name: str) -> None:
    assert (load_plugin(package, name).__doc__ or "").split("\n\n")[0].strip().endswith(".")


# Faces


NEWER = ("agents_api", "batches_api", "decisions_api")
"""Faces of APIs that OpenAI's file doesn't have: the SDK is the judge."""


def place_of(face: str) -> str:
    """Where the face is, if that is not among OpenAI's."""
    return str(getattr(load_plugin(FACES, face), "PREFIX", ""))


async def calls_of(face: str, state: Path) -> list[tuple[str, str]]:
    """Method and path, with every placeholder called the same."""
    async with open_engine(state, create_offline({})) as engine:
        routes = routes_of(load_plugin(FACES, face), engine)
    return [
        (method, re.sub(r"\{[^}]*\}", "{}", place_of(face) + route.path))
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


@pytest.mark.parametrize("face", plugin_names(FACES))
async def test_a_face_has_routes_each_of_its_own(face: str, tmp_path: Path) -> None:
    mine = await calls_of(face, tmp_path)
    others = [
        call for other in plugin_names(FACES) if other != face for call in await calls_of(other, tmp_path / other)
    ]

    assert mine
    place = re.sub(r"\{[^}]*\}", "{}", place_of(face))
    assert {path.removeprefix(place).split("/")[1] for _, path in mine} == set(load_plugin(FACES, face).PATHS)
    assert len(set(mine)) == len(mine)
    assert set(mine) & set(others) == set()


def test_no_two_faces_at_one_place_share_a_first_word() -> None:
    """The server hands a request on by that: one of them would never be asked."""
    words = Counter((place_of(face), word) for face in plugin_names(FACES) for word in load_plugin(FACES, face).PATHS)
    assert [word for word, faces in words.items() if faces > 1] == []


@pytest.mark.skipif(not OPENAPI.exists(), reason=f"no OpenAPI file at {OPENAPI}; set RUNNER_SHARED")
@pytest.mark.parametrize("face", [face for face in plugin_names(FACES) if not place_of(face) and face not in NEWER])
async def test_a_face_answers_nothing_that_openai_s_file_does_not_have(face: str, tmp_path: Path) -> None:
    paths: dict[str, dict[str, Any]] = json.loads(OPENAPI.read_text("utf-8"))["paths"]
    known = {(verb.upper(), re.sub(r"\{[^}]*\}", "{}", path)) for path, verbs in paths.items() for verb in verbs}

    assert set(await calls_of(face, tmp_path)) - known == set()


async def test_the_agents_face_answers_nothing_that_openai_s_sdk_does_not_ask(tmp_path: Path) -> None:
    verbs = {"get_api_list": "get", "get": "get", "post": "post", "delete": "delete"}
    known = set()
    for source in Path(agents.__file__).parent.rglob("*.py"):
        asked = re.findall(r'self\._(\w+)\(\s*(?:path_template\(\s*)?"([^"]+)"', source.read_text("utf-8"))
        known |= {(verbs[verb].upper(), re.sub(r"\{[^}]*\}", "{}", path)) for verb, path in asked if verb in verbs}

    assert set(await calls_of("agents_api", tmp_path)) - known == set()


@pytest.mark.slow
async def test_the_foundry_face_answers_nothing_that_azure_s_client_does_not_ask(tmp_path: Path) -> None:
    from azure.ai.projects.operations import _operations as azure

    verbs = ["get", "delete", "list", "create_version", "get_version", "delete_version", "list_versions"]
    builders = [getattr(azure, f"build_agents_{verb}_request") for verb in (*verbs, "enable", "disable")]
    asked = [
        build(**{name: "{}" for name in inspect.signature(build).parameters if "agent" in name}) for build in builders
    ]
    known = {(one.method, place_of("foundry_api") + unquote(urlsplit(one.url).path)) for one in asked}

    calls = set(await calls_of("foundry_api", tmp_path))
    assert calls == {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in known}


@pytest.mark.parametrize("face", plugin_names(FACES))
async def test_what_a_face_is_about_stands_in_the_docs(face: str, tmp_path: Path) -> None:
    page = (ROOT / "docs/embedded_server.md").read_text("utf-8")
    prefix = re.sub(r"\{[^}]*\}", "{}", place_of(face))
    subjects = {path.removeprefix(prefix).split("/")[1] for _, path in await calls_of(face, tmp_path)}

    assert {subject for subject in subjects if subject.replace("_", " ") not in page.replace("_", " ")} == set()


# Hosted tools


@pytest.mark.parametrize("tool", plugin_names(TOOLS))
async def test_a_tool_keeps_its_promise_and_a_call_that_makes_no_sense_is_told_so(tool: str) -> None:
    made: HostedTool = load_plugin(TOOLS, tool).create(ToolSettings())
    try:
        assert missing(HostedTool, made) == set()
        request = ToolRequest(tool=tool, arguments={"nonsense": 7})
        outcome = await made.run(request, ToolContext(index=NoIndex(), thread_id="thread_1"))
        assert (outcome.request, outcome.completed) == (request, False)
        assert outcome.output
        await made.forget_gone(lambda _: False)
    finally:
        await made.close()


@pytest.mark.parametrize("tool", plugin_names(TOOLS))
def test_a_tool_can_be_declared_and_stands_in_the_docs(tool: str) -> None:
    assert tool in {name.value for name in ToolName}
    assert f"- {tool}" in (ROOT / "docs/tools.md").read_text("utf-8")


class NoIndex:
    def search(self, *_: object, **__: object) -> tuple[()]:
        return ()


# Inference adapters


@pytest.mark.parametrize("adapter", plugin_names(INFERENCE))
def test_an_adapter_keeps_its_promise(adapter: str) -> None:
    module = load_plugin(INFERENCE, adapter)
    made = [one for _, one in inspect.getmembers(module, inspect.isclass) if hasattr(one, "decide")]
    ours = [one for one in made if one is not Inference and one.__module__.startswith(module.__name__)]

    assert len(ours) == 1
    assert inspect.iscoroutinefunction(ours[0].decide)
    for optional in ("decide_aloud", "admit", "close"):
        assert inspect.iscoroutinefunction(getattr(ours[0], optional, ours[0].decide)), optional
    assert get_type_hints(module.create)["return"] is Inference


@pytest.mark.parametrize("adapter", plugin_names(INFERENCE))
def test_a_setting_that_an_adapter_does_not_know_is_refused(adapter: str) -> None:
    with pytest.raises((ValueError, RunnerError)):
        load_plugin(INFERENCE, adapter).create({"nonsense": 7})


@pytest.mark.parametrize("adapter", plugin_names(INFERENCE))
def test_an_adapter_stands_in_the_docs(adapter: str) -> None:
    assert f"`{adapter}" in docs()


def missing(protocol: type, made: object) -> set[str]:
    """The members that the Protocol names and the object doesn't have."""
    promised = {name for name in vars(protocol) if not name.startswith("_")} | set(get_type_hints(protocol))
    return {name for name in promised if not hasattr(made, name)}
