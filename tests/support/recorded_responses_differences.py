"""Where the Responses face answers otherwise than the recordings, and why; docs/differences.md shows these tables."""

from __future__ import annotations

from recorded_responses_leeways import RULES as LEEWAY_RULES
from recorded_responses_rules import RULES
from recorded_rows import Difference, write_table

_CREATE = "POST /responses"


_PATCHES = tuple(f"ApplyPatchToolWorks_{kind}File" for kind in ("Create", "Delete", "Update"))
_APPROVED = ("MCPToolAlwaysRequiresApproval_False", "MCPToolAlwaysRequiresApproval_True")
_UNAPPROVED = (
    "MCPToolNeverRequiresApproval_False",
    "MCPToolNeverRequiresApproval_True",
    "MCPToolStreamingWorks",
    "MCPToolWithAllowedTools",
    "MCPToolWithDisallowedTools",
    "MCPToolWorks",
)
_NO_4G = "The sandbox has one limit of memory, which is OpenAI's default."
_OTHERS = "The recorded organisation had older containers."
_PLOTTED = "CodeInterpreterToolStreamingWithFiles"
_NO_PLOTS = "The code needs libraries that the sandbox does not have, so it writes no file that could be named."
_SEARCHES = ("WebSearchCall", "WebSearchCallPreview", "WebSearchCallStreaming", "WebSearchCallWithReasoning")
_GOES_ON = "It goes on with the response that is refused here."

DIFFERENCES = tuple(
    Difference(recording=name, endpoint=endpoint, exchanges=exchanges, place=place, what=what, reason=reason)
    for name, exchanges, endpoint, place, what, reason in (
        *(
            (name, (1,), _CREATE, "status", f"200 became 400 naming {parameter}", reason)
            for names, parameter, reason in (
                (_PATCHES, "tools[0].type", "There is no tool that edits a client's files."),
                (_APPROVED, "tools[0].type", "No other servers are called from here."),
                (_UNAPPROVED, "tools[0].type", "No other servers are called from here."),
                (_SEARCHES, "tools[0].type", "The web is not searched from here."),
                (("MultipleResponseInstructions",), "prompt", "Stored prompts end on 2026-11-30."),
            )
            for name in names
        ),
        *((name, (2,), _CREATE, "status", "200 became not played", _GOES_ON) for name in (*_PATCHES, *_APPROVED)),
        (
            "CanCompactConversation",
            (2,),
            "POST /responses/compact",
            "status",
            "200 became 405",
            "Compacting is a model's work, and OpenAI's form of it is encrypted.",
        ),
        (
            "CanGetInputTokenCounts",
            (1,),
            "POST /responses/input_tokens",
            "status",
            "200 became 405",
            "There is no tokenizer: what a model reads is counted by the one who serves it.",
        ),
        *(
            (name, (exchange,), _CREATE, f"{place}.annotations", f"{count} items became 0", _NO_PLOTS)
            for name, exchange, place, count in (
                (_PLOTTED, 2, "response.content_part.done[1].part", 1),
                (_PLOTTED, 2, "response.output_item.done[3].item.content[0]", 1),
                (_PLOTTED, 2, "response.completed[0].response.output[3].content[0]", 1),
                ("CodeInterpreterToolWithEmptyFileIds", 1, "output[1].content[0]", 2),
                ("CodeInterpreterToolWithUploadedFileIds", 3, "output[3].content[0]", 1),
            )
        ),
        (_PLOTTED, (2,), _CREATE, "response.output_text.annotation.added", "is missing", _NO_PLOTS),
        ("CanCreateContainer", (1,), "POST /containers", "status", "200 became 400 naming memory_limit", _NO_4G),
        (
            "CanCreateContainer",
            (2,),
            "DELETE /containers/{id}",
            "status",
            "200 became not played",
            "It is about the container that is refused here.",
        ),
        *(
            (name, (1,), "GET /containers", "has_more", "True became False", _OTHERS)
            for name in (
                "CanEnumerateContainers",
                "CanEnumerateContainersWithCancellation",
                "CanEnumerateContainersWithDefaultOptions",
            )
        ),
        *(
            (name, (1,), _CREATE, "output[0].phase", "is missing", "Only models that reason in between have phases.")
            for name in ("ResponsesWithPromptCache", "ResponsesWithReasoning")
        ),
        (
            "FunctionCallStreamingWorks",
            (1,),
            _CREATE,
            "response.function_call_arguments.done[0].name",
            "is added",
            "OpenAI's file requires it.",
        ),
    )
)


def write_sections() -> list[str]:
    rules = [f"| {one.where} | `{one.place}` | {one.what} | {one.reason} |" for one in RULES]
    return [
        "## Responses, conversations and containers",
        "",
        "Not compared by value, either:",
        "",
        *(f"- {rule}" for rule in LEEWAY_RULES),
        "",
        "In the recorded responses, whichever exchange or event shows them:",
        "",
        "| Which | Place | Difference | Reason |",
        "|---|---|---|---|",
        *rules,
        "",
        "Besides, one by one:",
        "",
        *write_table(DIFFERENCES),
    ]
