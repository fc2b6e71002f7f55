"""OpenTelemetry: what a collector of somebody else's format gets of a play, read by the protocol's own classes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_collector import Collector
from otlp_collector import read_attributes as read
from played_results import ENCODED_SECRETS, HOSTILE, SECRET, VARIANT, failed_together, of_every_kind, played, report_of
from verbs import Done, run_verb

from runner.domain.report import Outcome, PlayFinished, PlayStarted, ScenarioFinished
from runner.redaction import Redactor
from runner.reporting._telemetry import open_telemetry

STARTER = Path(__file__).parents[3] / "runner" / "starter"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
pytestmark = pytest.mark.slow


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def play(folder: Path, *, expect: str = "73.50", **environment: str) -> Done:
    if not (folder / "assistants.yaml").exists():
        shutil.copytree(STARTER, folder, dirs_exist_ok=True)
    path = folder / "scenarios" / "prices.yaml"
    path.write_text(path.read_text().replace("number: 73.50", f"number: {expect}"))
    return run_verb("play", cwd=folder, environment=environment)


def test_a_play_is_spans_and_its_verdicts_are_events(tmp_path: Path, collector: Collector) -> None:
    done = play(tmp_path, expect="99", OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)

    assert done.code == 1
    assert done.err == ""
    spans = {span.span_id: span for span in collector.spans()}
    by_name: dict[str, list[Any]] = {}
    for span in spans.values():
        by_name.setdefault(span.name.split()[0], []).append(span)
    (root,) = by_name["play"]
    cases = {read(span)["test.case.name"]: span for span in by_name["test"]}
    assert {span.parent_span_id for span in cases.values()} == {root.span_id}
    assert read(cases["order"])["test.case.result.status"] == "pass"
    assert read(cases["prices"])["test.case.result.status"] == "fail"
    assert cases["prices"].status.code == 2
    for agent in by_name["invoke_agent"]:
        said = read(agent)
        assert agent.name == "invoke_agent help-desk"
        assert said["gen_ai.agent.name"] == "help-desk"
        assert said["gen_ai.conversation.id"]
        assert spans[agent.parent_span_id].name == "test case"
        assert agent.start_time_unix_nano >= spans[agent.parent_span_id].start_time_unix_nano
        assert agent.end_time_unix_nano <= spans[agent.parent_span_id].end_time_unix_nano
    tools = {read(span)["gen_ai.tool.name"] for span in by_name["execute_tool"]}
    assert tools == {"order_status", "file_search", "code_interpreter"}
    assert {spans[chat.parent_span_id].name for chat in by_name["chat"]} == {"invoke_agent help-desk"}
    declared = yaml.safe_load((tmp_path / "assistants.yaml").read_text())["assistants"]["help-desk"]["model"]
    assert {read(chat)["gen_ai.request.model"] for chat in by_name["chat"]} == {declared}

    verdicts = collector.events()
    assert {event.event_name for event in verdicts} == {"gen_ai.evaluation.result"}
    assert {spans[event.span_id].name for event in verdicts} == {"invoke_agent help-desk"}
    failed = [read(event) for event in verdicts if read(event)["gen_ai.evaluation.score.label"] == "failed"]
    assert [event["gen_ai.evaluation.name"] for event in failed] == ["number"]
    assert "73.50" in failed[0]["gen_ai.evaluation.explanation"]


def test_what_was_said_goes_along_only_when_asked_for(tmp_path: Path, collector: Collector) -> None:
    play(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)
    sent = b"".join(body for path, body, _ in collector.requests if path == "/v1/traces")
    assert b"brake check" not in sent

    collector.requests.clear()
    play(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.address, **{CAPTURE: "true"})
    chats = [read(span) for span in collector.spans() if span.name.startswith("chat")]
    asked = [json.loads(chat["gen_ai.input.messages"])[0]["parts"][0]["content"] for chat in chats]
    assert "When does the shop open?" in asked
    tools = [read(span) for span in collector.spans() if span.name == "execute_tool order_status"]
    assert json.loads(tools[0]["gen_ai.tool.call.arguments"]) == {"number": 1042}


def test_the_ordinary_variables_hold(tmp_path: Path, collector: Collector) -> None:
    play(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
        OTEL_EXPORTER_OTLP_HEADERS="x-team=blue",
        OTEL_SERVICE_NAME="desk-tests",
        OTEL_LOGS_EXPORTER="none",
    )

    assert {path for path, _, _ in collector.requests} == {"/v1/traces"}
    assert {headers.get("x-team") for _, _, headers in collector.requests} == {"blue"}
    resource = ExportTraceServiceRequest.FromString(collector.requests[0][1]).resource_spans[0].resource
    assert read(resource)["service.name"] == "desk-tests"


@pytest.mark.fault("C1")
def test_a_secret_is_in_nothing_that_is_sent(tmp_path: Path, collector: Collector) -> None:
    shutil.copytree(STARTER, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "scenarios" / "order.yaml"
    path.write_text(path.read_text().replace("number 1042?", "number 1042, ${secret:CANARY}?"))
    given = {"CANARY": "canary-in-a-coal-mine", CAPTURE: "true"}

    run_verb("play", cwd=tmp_path, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, **given})

    assert collector.requests
    assert not [body for _, body, _ in collector.requests if b"canary-in" in body]


@pytest.mark.fault("X3", "X7")
def test_hostile_text_costs_no_span_and_the_verdicts_on_all_turns_are_events_too(
    monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    for name, value in (("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address), (CAPTURE, "true")):
        monkeypatch.setenv(name, value)
    telemetry, note = open_telemetry(dict(os.environ), Redactor([SECRET]))
    assert (note, telemetry is not None) == ("", True)
    results = [*of_every_kind(HOSTILE, names=HOSTILE), failed_together("sum"), played("tags", Outcome.PASSED)]
    results[-1] = replace(results[-1], scenario=replace(results[-1].scenario, tags=(SECRET, "\ud800")))
    telemetry.on_event(PlayStarted(variants=(VARIANT,), planned=10))
    for result in results:
        telemetry.on_event(ScenarioFinished(result=result))
    telemetry.on_event(PlayFinished(report=report_of(results)))
    telemetry.close()
    assert telemetry.note == ""
    cases = {span.span_id: read(span) for span in collector.spans() if span.name == "test case"}
    assert len(cases) == 10
    together = [read(event) for event in collector.events() if event.span_id in cases]
    assert [(one["gen_ai.evaluation.name"], one["gen_ai.evaluation.score.label"]) for one in together] == [
        ("equals", "failed")
    ]
    sent = b"".join(body for _, body, _ in collector.requests)
    assert not [form for form in ENCODED_SECRETS if form.encode() in sent]


def test_a_collector_that_refuses_changes_no_verdict(tmp_path: Path, collector: Collector) -> None:
    collector.status = 400
    done = play(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)
    assert done.code == 0
    assert done.err == "runner: not all of OpenTelemetry's events and spans could be sent\n"


def test_without_the_variables_nothing_is_opened() -> None:
    assert open_telemetry({}, Redactor(set())) == (None, "")
    off = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    assert open_telemetry(off, Redactor(set())) == (None, "")


def test_what_can_not_be_spoken_is_said() -> None:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    _, note = open_telemetry(given, Redactor(set()))
    assert "only http/protobuf" in note


@pytest.mark.parametrize("is_half_there", [False, True])
def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, is_half_there: bool) -> None:
    def find_spec(name: str) -> None:
        if is_half_there:
            raise ModuleNotFoundError(name)

    monkeypatch.setattr("runner.reporting._telemetry.find_spec", find_spec)
    _, note = open_telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, Redactor(set()))
    assert "assistant-runner[otel]" in note
