"""Where the embedded server answers otherwise than the recordings, and why; docs/differences.md shows this table."""

from __future__ import annotations

from dataclasses import dataclass

from openai_schemas import ABSENT_IN_RECORDINGS, NULL_IN_RECORDINGS, RENAMED_IN_RECORDINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`place` is where in the body it begins; "" is all of it."""

    recording: str
    endpoint: str
    place: str
    recorded: str
    ours: str
    reason: str

    def covers(self, recording: str, endpoint: str, place: str) -> bool:
        return (self.recording, self.endpoint) == (recording, endpoint) and place.startswith(self.place)


_BATCH_FILES = "GET /vector_stores/{id}/file_batches/{id}/files"
_STEPS = "GET /threads/{id}/runs/{id}/steps"
_WHOLE = "A later recording of the same call has the whole file, and the OpenAPI file requires it."
_ROWS = (
    (
        "BasicMessageOperationsWork",
        "POST /threads/{id}/messages/{id}",
        "attachments",
        "absent",
        "present",
        "The recorded update answers in the shape of version 1; every other call has attachments.",
    ),
    (
        "BasicMessageOperationsWork",
        "POST /threads/{id}/messages/{id}",
        "file_ids",
        "present",
        "absent",
        "The recorded update answers in the shape of version 1; every other call has attachments.",
    ),
    (
        "BasicThreadOperationsWork",
        "GET /threads/{id}",
        "tool_resources.code_interpreter",
        "an empty list",
        "absent",
        "The recorded create and update of the same thread show no resources; here a read shows the same.",
    ),
    (
        "BasicRunStepFunctionalityWorks",
        _STEPS,
        "data",
        "pandas, Excel and plots; remarks between calls",
        "logs of the sandbox; no remarks between calls",
        "The code needs libraries that the sandbox does not have, and the play leaves out remarks between calls.",
    ),
    (
        "Pagination_CanRehydrateRunStepPageCollectionFromBytes",
        _STEPS,
        "",
        "further pages of steps",
        "fewer steps, other outputs",
        "The code needs libraries that the sandbox does not have, and the play leaves out remarks between calls.",
    ),
    (
        "FileSearchWorks",
        "GET /threads/{id}/messages",
        "data[].content[].text",
        "a citation",
        "no citation",
        "No passage reaches the score of 0.5 that was asked for: scores are on another scale here.",
    ),
    (
        "FileSearchWorks",
        _STEPS,
        "data[].step_details",
        "one passage, twice",
        "none",
        "No passage reaches the score of 0.5 that was asked for: scores are on another scale here.",
    ),
    (
        "FileSearchWorks",
        _STEPS + "/{id}",
        "step_details",
        "one passage, twice",
        "none",
        "No passage reaches the score of 0.5 that was asked for: scores are on another scale here.",
    ),
    *(
        (name, _BATCH_FILES, f"data[].{key}", "absent", "present", _WHOLE)
        for name in ("CanPaginateGetVectorStoreFilesInBatch", "CanRehydrateGetVectorStoreFilesInBatchPagination")
        for key in ("attributes", "chunking_strategy", "usage_bytes")
    ),
    *(
        (
            name,
            _BATCH_FILES,
            place,
            "files of one second in an order of its own",
            "files in the order of adding",
            "The recorded order within a batch follows neither asc nor desc.",
        )
        for name, places in (
            ("CanRehydrateGetVectorStoreFilesInBatchPagination", ("data", "last_id")),
            ("CanTestGetVectorStoreFilesInBatchCollectionOptions", ("data", "first_id", "last_id")),
        )
        for place in places
    ),
)
DIFFERENCES = tuple(
    Difference(recording=name, endpoint=endpoint, place=place, recorded=recorded, ours=ours, reason=reason)
    for name, endpoint, place, recorded, ours, reason in _ROWS
)


def write_page() -> str:
    rows = [
        f"| {one.recording} | `{one.endpoint}` | {f'`{one.place}`' if one.place else 'all'} "
        f"| {one.recorded} | {one.ours} | {one.reason} |"
        for one in DIFFERENCES
    ]
    head = [
        "# Where the embedded server differs from recorded OpenAI traffic",
        "",
        "Made from `tests/support/recorded_differences.py`; a test holds both to each other and to what happens.",
        "",
        "| Recording | Endpoint | Place | Recorded | Ours | Reason |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, "", *_write_file_differences(), ""])


def _write_file_differences() -> list[str]:
    """Where OpenAI's own file and its recorded traffic disagree."""
    fields = [
        *((name, field, "may be null") for name, fields in NULL_IN_RECORDINGS.items() for field in fields),
        *((name, field, "may be absent") for name, fields in ABSENT_IN_RECORDINGS.items() for field in fields),
        *((name, field, f"is `{value}`") for name, (field, value) in RENAMED_IN_RECORDINGS.items()),
    ]
    return [
        "## Where OpenAI's OpenAPI file differs from recorded traffic",
        "",
        "The recordings win, here and in the checks of every answer (`tests/support/openai_schemas.py`).",
        "",
        "| Schema | Field | Recorded |",
        "|---|---|---|",
        *(f"| {name} | `{field}` | {recorded} |" for name, field, recorded in fields),
    ]
