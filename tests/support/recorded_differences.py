"""Where the embedded server answers otherwise than the recordings, and why; docs/differences.md shows this table."""

from __future__ import annotations

from openai_schemas import ABSENT_IN_RECORDINGS, NULL_IN_RECORDINGS, RENAMED_IN_RECORDINGS
from recorded_leeways import RULES
from recorded_responses_differences import write_sections
from recorded_rows import Difference, write_table

_ANOTHER_ID = "names another object"
_ANOTHER = "is another object"

_BATCH_FILES = "GET /vector_stores/{id}/file_batches/{id}/files"
_STEPS = "GET /threads/{id}/runs/{id}/steps"
_VERSION_1 = "The recorded update answers in the shape of version 1; every other call has attachments."
_NO_PANDAS = "The sandbox has no pandas: the code ends with an error, which is shown here; OpenAI shows no errors."
_NO_PLOTS = "The sandbox has no matplotlib: the error is shown in place of the plot."
_FOUND_ONCE = "A passage that is in several of the searched stores is found once: twice, it would take another's place."
_OTHERS = "The recorded organisation had older objects of others."
_LATE = "Two of the stores were not listed yet when the list was recorded; here a list is complete."
_WHOLE = "A later recording of the same call has the whole file, and the OpenAPI file requires it."
_LAST_IN_LINE = (
    "A file that was still being indexed was recorded with the time 0, as the oldest; here it keeps its place."
)
_BY_ID = "Recorded are files of one second by their ids, in both directions; here they are in the order of adding."

_LOGS = "step_details.tool_calls[0].code_interpreter.outputs"
_PAGED = "CanPaginateGetVectorStoreFilesInBatch"
_REHYDRATED = "CanRehydrateGetVectorStoreFilesInBatchPagination"
_OPTIONS = "CanTestGetVectorStoreFilesInBatchCollectionOptions"
_STEP_PAGES = "Pagination_CanRehydrateRunStepPageCollectionFromBytes"
_ASSISTANT_PAGES = (
    "Pagination_CanPageThroughAssistantCollection",
    "Pagination_CanRehydrateAssistantPageCollectionFromBytes",
    "Pagination_CanRehydrateAssistantPageCollectionFromPageToken",
)
_PARTS_OF_A_FILE = ("attributes", "chunking_strategy", "usage_bytes")
_Row = tuple[str, str, tuple[int, ...], str, str, str]

_OF_ASSISTANTS: tuple[_Row, ...] = (
    ("BasicAssistantOperationsWork", "GET /assistants", (7,), "data", "20 items became 1", _OTHERS),
    ("BasicAssistantOperationsWork", "GET /assistants", (7,), "last_id", _ANOTHER_ID, _OTHERS),
    ("BasicAssistantOperationsWork", "GET /assistants", (7,), "has_more", "True became False", _OTHERS),
    *((name, "GET /assistants", (15,), "has_more", "True became False", _OTHERS) for name in _ASSISTANT_PAGES),
)
_OF_THREADS: tuple[_Row, ...] = (
    ("BasicMessageOperationsWork", "POST /threads/{id}/messages/{id}", (6,), "attachments", "is added", _VERSION_1),
    ("BasicMessageOperationsWork", "POST /threads/{id}/messages/{id}", (6,), "file_ids", "is missing", _VERSION_1),
)
_OF_STEPS: tuple[_Row, ...] = (
    *(
        ("BasicRunStepFunctionalityWorks", _STEPS, (45,), f"data[1].{_LOGS}[0].{key}", what, _NO_PLOTS)
        for key, what in (("type", "'image' became 'logs'"), ("image", "is missing"), ("logs", "is added"))
    ),
    *(
        ("BasicRunStepFunctionalityWorks", _STEPS, (45,), f"data[{step}].{_LOGS}", "0 items became 1", _NO_PANDAS)
        for step in (3, 5, 7, 9, 11)
    ),
    (_STEP_PAGES, _STEPS, (12, 14), f"data[1].{_LOGS}", "0 items became 1", _NO_PANDAS),
    (
        "FileSearchWorks",
        _STEPS,
        (9,),
        "data[1].step_details.tool_calls[0].file_search.results",
        "2 items became 1",
        _FOUND_ONCE,
    ),
    (
        "FileSearchWorks",
        f"{_STEPS}/{{id}}",
        (10,),
        "step_details.tool_calls[0].file_search.results",
        "2 items became 1",
        _FOUND_ONCE,
    ),
)
_OF_STORES: tuple[_Row, ...] = (
    ("CanEnumerateVectorStores", "GET /vector_stores", (6,), "first_id", _ANOTHER_ID, _LATE),
    ("CanEnumerateVectorStores", "GET /vector_stores", (6,), "data", "20 items became 5", _OTHERS),
    *(("CanEnumerateVectorStores", "GET /vector_stores", (6,), f"data[{item}]", _ANOTHER, _LATE) for item in (3, 4)),
    ("CanEnumerateVectorStores", "GET /vector_stores", (6,), "last_id", _ANOTHER_ID, _OTHERS),
    ("CanEnumerateVectorStores", "GET /vector_stores", (6,), "has_more", "True became False", _OTHERS),
)
_OF_BATCHES: tuple[_Row, ...] = (
    *((_PAGED, _BATCH_FILES, tuple(range(13, 21)), f"data[*].{key}", "is added", _WHOLE) for key in _PARTS_OF_A_FILE),
    *((_REHYDRATED, _BATCH_FILES, (9,), f"data[*].{key}", "is added", _WHOLE) for key in _PARTS_OF_A_FILE),
    *((_REHYDRATED, _BATCH_FILES, (10, 11, 12, 13), f"data[0].{key}", "is added", _WHOLE) for key in _PARTS_OF_A_FILE),
    (_REHYDRATED, _BATCH_FILES, (12, 13), "data", "2 items became 1", _LAST_IN_LINE),
    (_REHYDRATED, _BATCH_FILES, (10, 11, 12, 13), "data[1]", _ANOTHER, _LAST_IN_LINE),
    (_REHYDRATED, _BATCH_FILES, (10, 11, 12, 13), "last_id", _ANOTHER_ID, _LAST_IN_LINE),
    *(
        (_OPTIONS, _BATCH_FILES, exchanges, place, what, _BY_ID)
        for exchanges, place, what in (
            ((7,), "data", "1 items became 0"),
            ((9,), "data", "1 items became 2"),
            ((10,), "data", "another order: [2, 0, 1]"),
            ((11,), "data", "another order: [1, 0]"),
            ((12,), "data", "2 items became 1"),
            ((7, 8), "data[0]", _ANOTHER),
            ((6, 12), "data[1]", _ANOTHER),
            ((8, 10, 11), "first_id", _ANOTHER_ID),
            ((6, 8, 9, 10, 11, 12), "last_id", _ANOTHER_ID),
            ((7,), "first_id", "str became null"),
            ((7,), "last_id", "str became null"),
        )
    ),
)
DIFFERENCES = tuple(
    Difference(recording=name, endpoint=endpoint, exchanges=exchanges, place=place, what=what, reason=reason)
    for name, endpoint, exchanges, place, what, reason in (
        *_OF_ASSISTANTS,
        *_OF_THREADS,
        *_OF_STEPS,
        *_OF_STORES,
        *_OF_BATCHES,
    )
)


def write_page() -> str:
    head = [
        "# Where the embedded server differs from recorded OpenAI traffic",
        "",
        "Made from `tests/support/recorded_*.py`. A test sends the recorded requests to the embedded server and",
        "compares status, keys, types and values of every answer, polls included, and events of every stream, in",
        "order. It fails on a difference that is not listed here, and on a listed one that is not there.",
        "",
        "Not compared by value, in all answers:",
        "",
        *(f"- {rule}" for rule in RULES),
        "",
        "Everything else is listed. An exchange is a request with its answer, counted from 1 within its recording;",
        "`data[*]` is each item of the list.",
        "",
        *write_table(DIFFERENCES),
    ]
    return "\n".join([*head, "", *write_sections(), "", *_write_file_differences(), ""])


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
