"""OpenTelemetry: what a collector of somebody else's format gets of a play, read by the protocol's own classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from verbs import Done, run_verb

from runner.redaction import Redactor
from runner.reporting._telemetry import open_telemetry

STARTER = Path(__file__).parents[3] / "runner" / "starter"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
pytestmark = pytest.mark.slow


class Collector:
    """A receiver of OTLP over HTTP on loopback."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes, dict[str, str]]] = []
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, body, dict(self.headers)))
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[Any]:
        found = []
        for path, body, _ in self.requests:
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    found += [span for scope in resource.scope_spans for span in scope.spans]
        return found

    def events(self) -> list[Any]:
        found = []
        for path, body, _ in self.requests:
            if path == "/v1/logs":
                for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                    found += [record for scope in resource.scope_logs for record in scope.log_records]
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


def play(folder: Path, *, expect: str = "73.50", **environment: str) -> Done:
    if not (folder / "assistants.yaml").exists():
        shutil.copytree(STARTER, folder, dirs_exist_ok=True)
    path = folder / "scenarios" / "prices.yaml"
    path.write_text(path.read_text().replace("number: 73.50", f"number: {expect}"))
    return run_verb("play", cwd=folder, environment=environment)


def read(item: Any) -> dict[str, Any]:
    def value(one: Any) -> Any:
        kind = one.WhichOneof("value")
        found = getattr(one, kind) if kind else None
        return [value(part) for part in found.values] if kind == "array_value" else found

    return {pair.key: value(pair.value) for pair in item.attributes}


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


def test_a_secret_is_in_nothing_that_is_sent(tmp_path: Path, collector: Collector) -> None:
    shutil.copytree(STARTER, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "scenarios" / "order.yaml"
    path.write_text(path.read_text().replace("number 1042?", "number 1042, ${secret:CANARY}?"))
    given = {"CANARY": "canary-in-a-coal-mine", CAPTURE: "true"}

    run_verb("play", cwd=tmp_path, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, **given})

    assert collector.requests
    assert not [body for _, body, _ in collector.requests if b"canary-in" in body]


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
