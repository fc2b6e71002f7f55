"""What the file would have to say for an assistant to be as it is stored now: pure, from a planned unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from runner.backends import FUNCTION_LABEL, managed_fields
from runner.config.writing import FieldEdit
from runner.domain.assistant import Assistant, PlainFormat, Tool, ToolName
from runner.domain.plan import FieldChange, Origin
from runner.sync.planner import Unit

INSTRUCTIONS = ("instructions",)
_METADATA = "metadata."
_NUMBERS = ("temperature", "top_p")
_TOOLS = (ToolName.CODE_INTERPRETER, ToolName.FILE_SEARCH)
_TEXTS = ("name", "model", "instructions")


_FILES_REASON = "what files contain can't be read back; `runner sync` ships the file's"
_FILE_FIELDS = ("files", "vector store", "code interpreter files")


class _Unpullable(Exception):
    """A difference that the file can't express; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A managed field whose stored value is not the file's.

    `edit` brings the file to it; None where that can't be, and then `reason` says why. `here` and `there` are the
    file's value and the stored one, as text for people.
    """

    field: str
    here: str
    there: str
    origin: Origin
    edit: FieldEdit | None = None
    reason: str = ""

    @property
    def is_about_files(self) -> bool:
        """Only a sync can settle it."""
        return self.field in _FILE_FIELDS


def find_differences(unit: Unit) -> tuple[Difference, ...]:
    """How the stored assistant differs from the declared one; () where none is stored."""
    if unit.assistant is None or unit.assistant_change is None:
        return ()
    fields = unit.assistant.fields
    metadata = unit.assistant.metadata
    files = [change for change in (unit.store_change,) if change is not None and change.fields]
    return (
        *(_describe(unit.desired.assistant, one, fields, metadata) for one in unit.assistant_change.fields),
        *(Difference(field="files", here="", there="", origin=Origin.LOCAL, reason=_FILES_REASON) for _ in files),
    )


def _describe(
    assistant: Assistant, change: FieldChange, fields: Mapping[str, object], metadata: Mapping[str, str]
) -> Difference:
    edit, reason = None, ""
    try:
        edit = _edit_for(assistant, change.field, fields, metadata)
    except _Unpullable as error:
        reason = str(error)
    return Difference(
        field=change.field,
        here=change.after,
        there=change.before,
        origin=change.origin,
        edit=edit,
        reason=reason,
    )


def _edit_for(assistant: Assistant, field: str, fields: Mapping[str, object], metadata: Mapping[str, str]) -> FieldEdit:
    if field in _TEXTS:
        return FieldEdit(path=(field,), value=_read_text(field, fields))
    if field in _NUMBERS:
        value = fields.get(field)
        number = value if isinstance(value, int | float) else 1.0
        return FieldEdit(path=(field,), value=Decimal(f"{round(float(number), 6):g}"))
    if field == "tools":
        return FieldEdit(path=(field,), value=_read_tools(assistant, fields.get("tools")))
    if field == "reasoning_effort":
        effort = fields.get(field)
        return FieldEdit(path=("reasoning", "effort"), value=str(effort) if effort else None)
    if field == "response_format":
        return FieldEdit(path=(field,), value=_read_format(fields.get(field)))
    if field.startswith(_METADATA):
        key = field.removeprefix(_METADATA)
        return FieldEdit(path=("metadata", key), value=metadata.get(key))
    raise _Unpullable(_FILES_REASON if field in _FILE_FIELDS else "the file has no word for it that could be filled in")


def _read_text(field: str, fields: Mapping[str, object]) -> str | None:
    text = str(fields.get(field) or "").replace("\r\n", "\n").strip()
    if not text and field != "instructions":
        raise _Unpullable(f"there it has no {field}, and the file can't say that")
    return text or None


def _read_format(stored: object) -> str | None:
    if isinstance(stored, Mapping):
        raise _Unpullable("a JSON Schema has to be taken over by hand")
    if stored is not None and stored not in [one.value for one in PlainFormat]:
        raise _Unpullable(f"the file has no word for {stored}")
    return None if stored is None else str(stored)


def _read_tools(assistant: Assistant, tools: object) -> tuple[Tool, ...]:
    """The stored tools, in the file's order as far as it has them; an option that the file leaves open stays open."""
    stored = dict(tools) if isinstance(tools, Mapping) else {}
    _refuse_other_functions(assistant, stored)
    stored = {name: options for name, options in stored.items() if not name.startswith(FUNCTION_LABEL)}
    known = {tool.value: tool for tool in _TOOLS}
    unknown = [str(name) for name in stored if name not in known]
    if unknown:
        raise _Unpullable(f"it has tools there that can't be taken over: {', '.join(unknown)}")
    declared = {tool.name: tool for tool in assistant.tools}
    elsewhere = sorted({tool.value for tool in declared} - set(known))
    if elsewhere:
        raise _Unpullable(f"the file has tools that can't be there: {', '.join(elsewhere)}")
    wanted = {known[name]: _most_results(options) for name, options in stored.items()}
    order = sorted(wanted, key=lambda name: list(declared).index(name) if name in declared else len(declared))
    return tuple(Tool(name=name, max_num_results=_choose_option(declared.get(name), wanted[name])) for name in order)


def _refuse_other_functions(assistant: Assistant, stored: Mapping[str, object]) -> None:
    """Raises _Unpullable if the functions there are not the file's: how they are answered can't be read back."""
    declared = managed_fields(assistant)["tools"]
    assert isinstance(declared, Mapping), "the tools are by name"
    names = sorted(name for name in {*declared, *stored} if name.startswith(FUNCTION_LABEL))
    others = [name for name in names if declared.get(name) != stored.get(name)]
    if others:
        raise _Unpullable(f"functions can't be taken over: {', '.join(others)} is not as the file says")


def _choose_option(declared: Tool | None, stored: int | None) -> int | None:
    return None if declared is not None and declared.max_num_results is None else stored


def _most_results(options: object) -> int | None:
    found = options.get("max_num_results") if isinstance(options, Mapping) else None
    return found if isinstance(found, int) else None
