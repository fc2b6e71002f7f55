"""A play as OpenTelemetry's spans and events, sent where the ordinary OTEL_ variables say; without those, nothing is.

A scenario is a span `test case` below that of the play; each of its turns is an `invoke_agent` with a `chat` and the
tools' `execute_tool` in it; each verdict is an event `gen_ai.evaluation.result` of its turn. What was said is in them
only where OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT asks for it. Source: OpenTelemetry's semantic conventions
for generative AI, as of 2026-11; the names are written out, since the package's constants are deprecated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from runner.domain.report import (
    Attempt,
    Outcome,
    PlayEvent,
    PlayFinished,
    PlayStarted,
    ScenarioFinished,
    ScenarioResult,
    ScenarioStarted,
    TurnFinished,
    TurnResult,
    Variant,
    Verdict,
)

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

    from runner.domain.conversation import Run, Step
    from runner.redaction import Redactor

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_EXPORTERS = {"traces": "OTEL_TRACES_EXPORTER", "logs": "OTEL_LOGS_EXPORTER"}
_PROTOCOLS = ("", "http/protobuf")
_SERVICE = "runner"
_NANO = 1_000_000_000
_EVALUATION = "gen_ai.evaluation.result"

Attributes = dict[str, Any]
T = TypeVar("T")


def open_telemetry(environment: Mapping[str, str], redactor: Redactor) -> tuple[Telemetry | None, str]:
    """What sends a play where the variables say, and why it doesn't although they say so ("" for neither)."""
    wanted = [one for one in _ENDPOINTS if environment.get(one)]
    if not wanted or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None, ""
    if not _has_exporter():
        return None, f"{wanted[0]} is set, and nothing is sent there: that needs the extra `assistant-runner[otel]`"
    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    if protocol not in _PROTOCOLS:
        return (
            None,
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, and nothing is sent: only http/protobuf is spoken here",
        )
    off = {signal for signal, name in _EXPORTERS.items() if environment.get(name, "otlp") == "none"}
    captures = environment.get(_CAPTURE, "").lower() in ("true", "1", "span_only", "span_and_event")
    return Telemetry(redactor.clean, captures_content=captures, off=off), ""


def _has_exporter() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False


class Telemetry:
    """Tells the exporters a scenario when it is over; `note` says what could not be sent, once the play is."""

    def __init__(self, clean: Callable[[str], str], *, captures_content: bool, off: set[str]) -> None:
        self.note = ""
        self._redact = clean
        self._models: Mapping[str, str] = {}
        self._captures = captures_content
        self._refused: list[str] = []
        self._spans, self._events = _open_providers(off, self._refused)
        self._tracer: Tracer = self._spans.get_tracer(_SERVICE)
        self._logger: Logger = self._events.get_logger(_SERVICE)
        self._play: Span | None = None
        self._started: dict[tuple[str, Variant], int] = {}
        self._ended: dict[int, int] = {}

    def _clean(self, text: str) -> str:
        """The protocol's texts are UTF-8: half a character would cost all that is sent with it."""
        return self._redact(text).encode("utf-8", "backslashreplace").decode()

    def on_event(self, event: PlayEvent) -> None:
        match event:
            case PlayStarted():
                self._models = {key: str(one.get("model", "")) for key, one in event.definitions.items()}
                self._play = self._tracer.start_span("play", attributes={"test.suite.name": "play"})
            case ScenarioStarted():
                self._started[event.scenario.name, event.variant] = time.time_ns()
            case TurnFinished():
                self._ended[id(event.result)] = time.time_ns()
            case ScenarioFinished():
                self._tell_scenario(event.result)
            case PlayFinished():
                self._finish(event)
            case _:
                pass

    def _finish(self, event: PlayFinished) -> None:
        if self._play is not None:
            counts = {f"runner.play.{word}": number for word, number in event.report.counts.items()}
            self._play.set_attributes({"runner.play.id": event.report.play_id, **counts})
            self._play.end()

    def close(self) -> None:
        """Send what is waiting."""
        self._spans.shutdown()
        self._events.shutdown()
        if self._refused:
            self.note = f"not all of OpenTelemetry's {' and '.join(sorted(set(self._refused)))} could be sent"

    def _tell_scenario(self, result: ScenarioResult) -> None:
        now = time.time_ns()
        variant, scenario = result.variant, result.scenario
        began = self._started.pop((scenario.name, variant), now) if variant else now
        status = "pass" if result.outcome in (Outcome.PASSED, Outcome.FLAKY) else "fail"
        skipped = result.outcome is Outcome.SKIPPED
        attributes = {
            "test.case.name": scenario.name,
            "runner.outcome": result.outcome.value,
            "runner.tags": list(scenario.tags),
            "runner.attempts": len(result.attempts),
            "code.file.path": scenario.location.file,
            "code.line.number": scenario.location.line,
            **({} if skipped else {"test.case.result.status": status}),
            **({"runner.target": variant.label, "runner.api": variant.api} if variant else {}),
        }
        span = self._start("test case", began, attributes, self._play)
        for attempt in result.attempts:
            self._tell_attempt(attempt, result, began, span)
            for verdict in attempt.verdicts:
                self._tell_verdict(verdict, span, now)
        if status == "fail" and not skipped:
            _fail(span, self._clean(result.reason or result.outcome.value))
        span.end(now)

    def _tell_attempt(self, attempt: Attempt, result: ScenarioResult, began: int, parent: Span) -> None:
        at = began
        for turn in attempt.turns:
            duration = int(((turn.run and turn.run.duration_s) or 0.0) * _NANO)
            ended = self._ended.pop(id(turn), at + duration)
            at = max(ended - duration, began)
            self._tell_turn(turn, result, (at, ended), parent)
            at = ended

    def _tell_turn(self, turn: TurnResult, result: ScenarioResult, times: tuple[int, int], parent: Span) -> None:
        began, ended = times
        common = _describe_agent(result, turn.run, self._models.get(result.definition))
        name = f"invoke_agent {result.scenario.assistant}"
        span = self._start(name, began, {"gen_ai.operation.name": "invoke_agent", **common}, parent)
        if turn.run is not None:
            model = turn.run.model or ""
            chat = {"gen_ai.operation.name": "chat", **common, **_describe_model(turn.run), **self._say(turn)}
            self._start(f"chat {model}".rstrip(), began, chat, span).end(ended)
            for step in turn.run.steps:
                self._start(f"execute_tool {step.tool}", ended, self._describe_tool(step), span).end(ended)
        for verdict in turn.verdicts:
            self._tell_verdict(verdict, span, ended)
        if turn.outcome is Outcome.ERRORED and not turn.verdicts:
            span.set_attribute("error.type", type(turn.cause).__name__ if turn.cause else "no_answer")
            _fail(span, self._clean(turn.reason))
        span.end(ended)

    def _tell_verdict(self, verdict: Verdict, span: Span, at: int) -> None:
        from opentelemetry.trace import set_span_in_context

        is_broken = verdict.outcome is Outcome.ERRORED
        attributes: Attributes = {
            "gen_ai.evaluation.name": verdict.check,
            "code.file.path": verdict.location.file,
            "code.line.number": verdict.location.line,
            **(
                {"error.type": "check_errored"}
                if is_broken
                else {"gen_ai.evaluation.score.label": verdict.outcome.value}
            ),
            **({} if verdict.score is None else {"gen_ai.evaluation.score.value": verdict.score}),
        }
        explanation = verdict.reason or f"expected {verdict.expected}, found {verdict.found}"
        attributes["gen_ai.evaluation.explanation"] = explanation
        told = self._clean_all(attributes)
        self._logger.emit(timestamp=at, context=set_span_in_context(span), event_name=_EVALUATION, attributes=told)

    def _start(self, name: str, at: int, attributes: Attributes, parent: Span | None) -> Span:
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(parent) if parent is not None else None
        cleaned = self._clean_all(attributes)
        return self._tracer.start_span(self._clean(name), context=context, start_time=at, attributes=cleaned)

    def _clean_all(self, attributes: Attributes) -> Attributes:
        def clean(one: Any) -> Any:
            if isinstance(one, list):
                return list(map(clean, one))
            return self._clean(one) if isinstance(one, str) else one

        return {key: clean(one) for key, one in attributes.items()}

    def _say(self, turn: TurnResult) -> Attributes:
        """What was asked and answered, where that is asked for."""
        if not self._captures or turn.run is None:
            return {}
        said = {
            "gen_ai.input.messages": ("user", turn.turn.ask),
            "gen_ai.output.messages": ("assistant", turn.run.text),
        }
        return {
            key: json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)
            for key, (role, text) in said.items()
        }

    def _describe_tool(self, step: Step) -> Attributes:
        said = {"gen_ai.tool.call.arguments": step.input, "gen_ai.tool.call.result": step.output}
        return {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": step.label or step.tool,
            **({} if step.completed else {"error.type": "not_completed"}),
            **(said if self._captures else {}),
        }


def _open_providers(off: set[str], refused: list[str]) -> tuple[TracerProvider, LoggerProvider]:
    """Providers of our own, none of the process's; endpoint, headers, timeouts, resource, sampler: as variables say."""
    import logging

    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class Spans(OTLPSpanExporter):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            return _watch(super().export, spans, SpanExportResult.FAILURE, "spans", refused)

    class Logs(OTLPLogExporter):
        def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
            return _watch(super().export, batch, LogRecordExportResult.FAILURE, "events", refused)

    # It would print where it could not send to, in the middle of the screen; what was refused is said at the end.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    resource = Resource.create({"service.name": _SERVICE}).merge(OTELResourceDetector().detect())
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)
    if "traces" not in off:
        spans.add_span_processor(BatchSpanProcessor(Spans()))
    events = LoggerProvider(resource=resource, shutdown_on_exit=False)
    if "logs" not in off:
        events.add_log_record_processor(BatchLogRecordProcessor(Logs()))
    return spans, events


def _watch(export: Callable[[Sequence[Any]], T], batch: Sequence[Any], failure: T, what: str, refused: list[str]) -> T:
    """Export, and remember if that failed in any way."""
    result = failure
    try:
        result = export(batch)
    finally:
        if result is failure:
            refused.append(what)
    return result


def _describe_agent(result: ScenarioResult, run: Run | None, model: str | None) -> Attributes:
    variant = result.variant
    return {
        "gen_ai.provider.name": _provider(variant),
        "gen_ai.agent.name": result.scenario.assistant,
        **({"gen_ai.agent.version": result.definition} if result.definition else {}),
        **({"gen_ai.conversation.id": run.thread_id} if run else {}),
        **({"gen_ai.request.model": model} if model else {}),
    }


def _provider(variant: Variant | None) -> str:
    if variant is None or variant.inference is not None:
        return "runner"
    return "azure.ai.inference" if variant.api == "foundry" else "openai"


def _describe_model(run: Run) -> Attributes:
    usage = run.usage
    counted = (
        {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        }
        if usage
        else {}
    )
    return {
        "gen_ai.response.id": run.id,
        "gen_ai.response.finish_reasons": [run.status.value],
        **({"gen_ai.response.model": run.model} if run.model else {}),
        **{key: number for key, number in counted.items() if number is not None},
    }


def _fail(span: Span, why: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, why))
