"""What a reply comes to: a move, or a word to the model about calls that can't be made."""

from __future__ import annotations

import json

from runner.server.inference import Answer, BreakOff, Move, Refuse, Spent, UseTools
from runner.server.inference._chat.marks import MarkReader
from runner.server.inference._chat.reply import Calls, Reply
from runner.server.inference._chat.request import Json, write_calls, write_result

_TOKENS_PER_WORD = 4 / 3


def choose_move(reply: Reply, calls: Calls, marks: MarkReader) -> Move:
    if reply.finish == "length":
        return BreakOff(reason="max_completion_tokens", text=marks.text)
    if reply.finish == "content_filter":
        return BreakOff(reason="content_filter", text=marks.text)
    if reply.refusal:
        return Refuse(text=reply.refusal)
    if calls.requests:
        return UseTools(requests=calls.requests, text=marks.text)
    return Answer(text=marks.text, sources=tuple(marks.sources))


def tell_mistakes(reply: Reply, calls: Calls) -> list[Json]:
    """The calls as they were made, each with its mistake, or with a word that it was not made."""
    made = [(call.id or f"retry_{place}", call.name, call.arguments) for place, call in sorted(reply.calls.items())]
    results = [calls.mistakes.get(place, "Not done, because another call was wrong.") for place in sorted(reply.calls)]
    # Arguments that are no JSON would break chat templates that parse them.
    shown = [(call_id, name, arguments if _is_json(arguments) else "{}") for call_id, name, arguments in made]
    return [
        write_calls(reply.text, shown),
        *(
            write_result(call_id, f"{result} Call it again.")
            for (call_id, _, _), result in zip(made, results, strict=True)
        ),
    ]


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def estimate(body: Json, reply: Reply) -> Spent:
    """For an endpoint that doesn't count tokens."""
    read = " ".join(str(message["content"]) for message in body["messages"])
    said = " ".join((reply.text, *(call.arguments for call in reply.calls.values())))
    return Spent(
        input_tokens=round(len(read.split()) * _TOKENS_PER_WORD),
        output_tokens=round(len(said.split()) * _TOKENS_PER_WORD),
    )
