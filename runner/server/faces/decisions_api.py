"""/decisions: typed questions about an input, answered with probabilities by an inference that judges."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from runner.server.engine.core import Engine
from runner.server.inference import Exhibit, Fail, Judged, JudgeQuestion, Matter, QuestionKind
from runner.server.wire.fields import BadRequest, Fields, Json, read_body
from runner.server.wire.replies import Answered, error_reply, render_usage, route, unless_gone

MAX_QUESTIONS, MAX_ITEMS, MAX_PARTS = 400, 1000, 1000
CHOICES, LEVELS = (2, 255), (2, 10)
MAX_JSON_LEVELS, MAX_JSON_VALUES, MAX_JSON_BYTES = 32, 10_000, 256 << 10
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
_ITEM_TYPES = ("message", *_CALLS, *_OUTPUTS)
_STATUSES = ("in_progress", "completed", "incomplete")
PATHS = ("decisions",)
_USER, _ASSISTANT = "user", "assistant"
_ROLES = (_USER, "developer", "system", _ASSISTANT)
_BREAKPOINT = "prompt_cache_breakpoint"
_STATUS_OF = {"rate_limit_exceeded": 429, "invalid_prompt": 400}
_NEVER = (
    "The inference '{}' never judges: no language model is connected "
    "(`runner serve --inference URL`, or a target's `inference: {{base_url: URL, model: NAME}}`, connects one)."
)


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Answered:
        matter = read_matter(await read_body(request))
        judge: Callable[[Matter], Awaitable[Judged | Fail]] | None = getattr(engine.inference, "judge", None)
        if judge is None:
            return error_reply(400, _NEVER.format(engine.inference.name), code="no_judge")
        judged = await unless_gone(request, judge(matter))
        if isinstance(judged, Fail):
            status = _STATUS_OF.get(judged.code, 500)
            kind = "invalid_request_error" if status == 400 else judged.code
            return error_reply(status, judged.message, code=judged.code, kind=kind)
        return render_decision(matter, judged)

    return [route("POST", "/decisions", create)]


def read_matter(body: Fields) -> Matter:
    """Raises BadRequest."""
    body.only("model", "input", "questions", "prompt_cache_key", "prompt_cache_options", "safety_identifier")
    for name in ("prompt_cache_key", "safety_identifier"):
        body.text(name)
    if (options := body.mapping("prompt_cache_options")) is not None:
        # Of no effect: there is no cache.
        options.only("mode", "ttl")
        options.choice("mode", ("implicit", "explicit"))
        options.choice("ttl", ("30m",))
    model = body.needed_text("model")
    exhibits = _read_input(body)
    questions = body.needed_objects("questions", most=MAX_QUESTIONS, one="question")
    return Matter(model=model, exhibits=exhibits, questions=tuple(map(_read_question, questions)))


def _read_input(body: Fields) -> tuple[Exhibit, ...]:
    if isinstance(body.values.get("input"), str):
        return (Exhibit(source=_USER, text=body.needed_text("input")),)
    calls: dict[str, set[str]] = {kind: set() for kind in _CALLS}
    return tuple(_read_item(item, calls) for item in body.needed_objects("input", most=MAX_ITEMS, one="item"))


def _read_item(item: Fields, calls: Mapping[str, set[str]]) -> Exhibit:
    """`calls` are the ids of those before it, by their kinds; its own is added."""
    kind = item.choice("type", _ITEM_TYPES) or "message"
    if kind == "message":
        return _read_message(item)
    item.text("id")
    item.choice("status", _STATUSES)
    call_id = item.needed_text("call_id")
    if kind in _CALLS:
        said = _CALLS[kind]
        item.only("type", "id", "call_id", "name", said, "namespace", "status")
        item.text("namespace")
        calls[kind].add(call_id)
        return Exhibit(source=f"{kind} {item.needed_text('name')}", text=item.needed_text(said))
    item.only("type", "id", "call_id", "output", "status")
    if call_id not in calls[_OUTPUTS[kind]]:
        raise BadRequest(f"No tool call found for {kind.replace('_', ' ')} with call_id {call_id}.", param="input")
    return Exhibit(source=kind, text=_read_content(item, "output", {"input_text", "input_image"}))


def _read_message(item: Fields) -> Exhibit:
    role = item.needed_choice("role", _ROLES)
    item.only("type", "role", "content", *(("phase",) if role == _ASSISTANT else ()))
    item.choice("phase", ("commentary", "final_answer"))
    parts = {_USER: {"input_text", "input_image", "input_json"}, _ASSISTANT: {"output_text", "refusal"}}
    return Exhibit(source=role, text=_read_content(item, "content", parts.get(role, {"input_text"})))


def _read_content(item: Fields, name: str, kinds: set[str]) -> str:
    """A text, or the text of parts of these kinds."""
    item.need(name)
    if isinstance(item.values[name], str):
        return item.text(name) or ""
    return "\n".join(_read_part(part, kinds) for part in item.objects(name, most=MAX_PARTS) or ())


def _read_part(part: Fields, kinds: set[str]) -> str:
    kind = part.needed_choice("type", sorted(kinds))
    if kind == "input_image":
        # Unlike a model in a run, a judge can't say that it saw nothing.
        raise part.invalid("type", "this server's judges see no pictures.", "unsupported_parameter")
    if kind == "input_json":
        part.only("type", "data")
        return _read_json(part)
    name = "refusal" if kind == "refusal" else "text"
    part.only("type", name, *((_BREAKPOINT,) if kind == "input_text" else ()))
    if (mark := part.mapping(_BREAKPOINT)) is not None:
        mark.only("mode")
        mark.needed_choice("mode", ("explicit",))
    return part.needed_text(name)


def _read_json(part: Fields) -> str:
    part.need("data")
    value = part.values["data"]
    if isinstance(value, list):
        part.objects("data", most=MAX_JSON_VALUES)
    else:
        part.mapping("data")
    depths = list(_walk(value, 0))
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if max(depths) > MAX_JSON_LEVELS or len(depths) > MAX_JSON_VALUES or len(text.encode()) > MAX_JSON_BYTES:
        limits = f"{MAX_JSON_LEVELS} levels, {MAX_JSON_VALUES} values, {MAX_JSON_BYTES} bytes"
        raise part.invalid("data", f"the JSON is above one of its limits: {limits}.", "invalid_value")
    return text


def _walk(value: object, depth: int) -> Iterator[int]:
    """For each value in it how many containers are around and in it."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    yield depth if children is None else depth + 1
    for child in children or ():
        yield from _walk(child, depth + 1)


def _read_question(question: Fields) -> JudgeQuestion:
    kind = QuestionKind(question.needed_choice("type", [kind.value for kind in QuestionKind]))
    own = {QuestionKind.PREDICATE: (), QuestionKind.CHOICE: ("choices",), QuestionKind.SCORE: ("levels",)}[kind]
    question.only("type", "name", "instructions", *own)
    options = [_read_option(one, kind) for name in own for one in _read_options(question, name, kind)]
    if len({(type(value), value) for value, _ in options}) < len(options):
        raise question.invalid(own[0], "each must be unique.", "invalid_value")
    return JudgeQuestion(
        kind=kind,
        instructions=_read_content(question, "instructions", {"input_text", "input_image", "input_json"}),
        name=question.text("name"),
        options=tuple(value for value, _ in options),
        descriptions=tuple(description for _, description in options),
    )


def _read_options(question: Fields, name: str, kind: QuestionKind) -> tuple[Fields, ...]:
    least, most = CHOICES if kind is QuestionKind.CHOICE else LEVELS
    question.need(name)
    options = question.objects(name, most=most) or ()
    if len(options) < least:
        raise question.invalid(name, f"expected at least {least}, but got {len(options)}.", "array_below_min_length")
    return options


def _read_option(option: Fields, kind: QuestionKind) -> tuple[str | bool, str]:
    name = "value" if kind is QuestionKind.CHOICE else "label"
    option.only(name, "description")
    is_flag = name == "value" and isinstance(option.values.get(name), bool)
    value = option.flag(name) if is_flag else option.needed_text(name)
    assert value is not None
    return value, option.text("description") or ""


def render_decision(matter: Matter, judged: Judged) -> Json:
    pairs = zip(matter.questions, judged.probabilities, strict=True)
    return {
        "model": matter.model,
        "answers": [_render_answer(question, probabilities) for question, probabilities in pairs],
        "usage": render_usage(judged.spent.input_tokens, judged.spent.output_tokens, cache_write_tokens=0),
    }


def _render_answer(question: JudgeQuestion, probabilities: tuple[float, ...] | None) -> Json:
    if probabilities is None:
        return {"type": "refusal", "name": question.name}
    answer: Json = {"type": question.kind.value, "name": question.name}
    if question.kind is QuestionKind.PREDICATE:
        return {**answer, "probability": probabilities[0]}
    likeliest = max(range(len(probabilities)), key=probabilities.__getitem__)
    answer["confidence"] = probabilities[likeliest]
    rows: list[dict[str, Any]] = [{"probability": one} for one in probabilities]
    if question.kind is QuestionKind.CHOICE:
        answer["choice"] = question.options[likeliest]
        answer["probabilities"] = [{**row, "value": value} for row, value in zip(rows, question.options, strict=True)]
        return answer
    # Levels count from 0; the score is where the middle of all probability lies.
    answer["score"] = sum(value * one for value, one in enumerate(probabilities))
    answer["probabilities"] = [
        {**row, "value": value, "label": label}
        for value, (row, label) in enumerate(zip(rows, question.options, strict=True))
    ]
    return answer
