"""Plans as text: one file per format, whose name is the name that users write after `--format`.

A format's module has `render(plan: PrintedPlan) -> str`. Not here: secrets (the command line takes them out of what
is rendered), and what a sync did (`cli/`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import groupby

from runner.did_you_mean import count
from runner.domain.plan import Action, FieldChange, Plan
from runner.sync.comparing import digest
from runner.sync.planner import SyncPlan

VERSION = 1
"""Of the JSON document; it grows when a reader of the old one would go wrong."""
_CHECKSUM_CHARACTERS = 16
LONGEST_VALUE = 60
LONGEST_LINE = 200
_LISTS = ("files", "code interpreter files")
_HUNK = re.compile(r"@@ -\S+ \+(\d+)\S* @@")
_WORD = re.compile(r"\S+\s*|\s+")
_WORDS_AROUND = 6
_MANY_WORDS = 1_000
_ALIKE = 0.6
SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.IN_SYNC: "=",
    Action.LEAVE: "?",
    Action.BLOCKED: "!",
}
TO_DO = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.DELETE: "to delete",
    Action.BLOCKED: "blocked",
    Action.LEAVE: "left alone",
    Action.IN_SYNC: "in sync",
}
SINCE = {
    Action.CREATE: "new",
    Action.UPDATE: "changed",
    Action.DELETE: "removed",
    Action.IN_SYNC: "unchanged",
}
"""The same of definitions that are compared with those of a commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedPlan:
    """A plan with what surrounds it. `gate` is why it would be refused, "" where it would not.

    `since` names the commit that the definitions are compared with; "" is a plan for the target, with its checksum.
    """

    target: str
    namespace: str
    plan: Plan
    checksum: str = ""
    gate: str = ""
    notes: tuple[str, ...] = ()
    since: str = ""

    @property
    def summary(self) -> str:
        """The numbers in a line."""
        return summarise(self.plan, said=SINCE if self.since else TO_DO)

    def name_action(self, action: Action) -> str:
        return SINCE[action] if self.since else action.value


def print_plan(plan: SyncPlan, *, target: str, gate: str = "") -> PrintedPlan:
    """The plan with its checksum: equal for plans that do the same to the same objects."""
    namespace, notes = str(plan.namespace), plan.notes
    printed = PrintedPlan(target=target, namespace=namespace, plan=plan.plan, checksum="", notes=notes)
    content = [[one.address, one.desired.search_mark, one.desired.code_hash] for one in plan.units]
    checksum = digest([as_json(printed), content])[:_CHECKSUM_CHARACTERS]
    return PrintedPlan(target=target, namespace=namespace, plan=plan.plan, checksum=checksum, gate=gate, notes=notes)


def as_json(printed: PrintedPlan) -> dict[str, object]:
    """The plan as JSON values."""
    return {
        "version": VERSION,
        "target": printed.target,
        "namespace": printed.namespace,
        **({"since": printed.since} if printed.since else {"checksum": printed.checksum}),
        "gate": printed.gate,
        "summary": {action.value: printed.plan.count(action) for action in Action},
        "changes": [
            {
                "action": change.action.value,
                "origin": None if change.action is Action.IN_SYNC else change.origin.value,
                "kind": change.kind.value,
                "address": change.address,
                "id": change.remote_id,
                "reason": change.reason,
                "fields": [
                    {"field": one.field, "before": one.before, "after": one.after, "origin": one.origin.value}
                    for one in change.fields
                ],
            }
            for change in printed.plan.changes
        ],
        "notes": list(printed.notes),
    }


def summarise(plan: Plan, *, said: Mapping[Action, str]) -> str:
    """The numbers of a plan in a line; what there is none of is left out."""
    counts = [f"{plan.count(action)} {words}" for action, words in said.items() if plan.count(action)]
    return ", ".join(counts) or "nothing is declared"


def is_long(field: FieldChange) -> bool:
    """Whether a field's values are better shown in lines of their own."""
    if field.field in _LISTS:
        return False
    return "\n" in field.before + field.after or len(field.before) + len(field.after) > 2 * LONGEST_VALUE


def describe_field(field: FieldChange) -> str:
    if is_long(field):
        is_counted = field.field.endswith(" bytes")
        size = "" if is_counted else f" ({len(field.before):,} -> {len(field.after):,} characters)"
        return field.field + size
    return f"{field.field} {field.before or '(empty)'} -> {field.after or '(empty)'}"


def describe_value(field: FieldChange) -> str:
    """A field of something new: its value, if that is not long."""
    if is_long(field):
        return f"{field.field} ({len(field.after):,} characters)"
    return f"{field.field} {' '.join(field.after.split()) or '(empty)'}"


def value_lines(field: FieldChange) -> tuple[str, ...]:
    """All lines of a long value of something new; () for what is short enough to stand in a line."""
    return tuple(field.after.splitlines()) if is_long(field) else ()


def diff_lines(field: FieldChange, *, context: int, longest: int, widest: int = LONGEST_LINE) -> tuple[str, ...]:
    """A unified diff without its head, cut after so many lines; () for what is short enough to be shown whole."""
    if not is_long(field):
        return ()
    return diff_texts(field.before, field.after, context=context, longest=longest, widest=widest)


def diff_texts(before: str, after: str, *, context: int, longest: int, widest: int = LONGEST_LINE) -> tuple[str, ...]:
    """A unified diff without its head, cut after `longest` lines.

    A line stays one line, however long: instructions are often one line of many sentences. Where a line longer than
    `widest` took the place of another, only what changed in it is shown, with some words around.
    """
    whole = after.splitlines()
    lines = list(unified_diff(before.splitlines(), whole, lineterm="", n=context))[2:]
    if context:
        lines = [_with_keys_above(line, whole) for line in lines]
    else:
        lines = [line for line in lines if not line.startswith("@@")]
    shown: list[str] = []
    for _, block in groupby(lines, key=lambda line: line[:1] in ("-", "+")):
        shown += _shorten_block(list(block), widest)
    more = len(shown) - longest
    return (*shown[:longest], f"... {count(more, 'more line')}") if more > 0 else tuple(shown)


def _with_keys_above(line: str, after: list[str]) -> str:
    """The head of a part, with the keys that it is below: which function, which of its properties."""
    head = _HUNK.fullmatch(line)
    if not head:
        return line
    number = int(head[1]) - 1
    depth = _depth(after[number]) if 0 <= number < len(after) else 0
    keys: list[str] = []
    for above in reversed(after[: max(number, 0)]):
        if above.endswith(":") and _depth(above) < depth:
            depth = _depth(above)
            keys.insert(0, above.strip())
    return " ".join([line, *keys])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _shorten_block(block: list[str], widest: int) -> list[str]:
    """Lines that stand together: some went, others came, or none changed."""
    gone = [line[1:] for line in block if line.startswith("-")]
    come = [line[1:] for line in block if line.startswith("+")]
    if not gone and not come:
        return [line if len(line) <= widest else f"{line[:widest]}..." for line in block]
    for old, new in _pair_up(gone, come, widest):
        gone[old], come[new] = _shorten_pair(gone[old], come[new], widest)
    return [f"-{line}" for line in gone] + [f"+{line}" for line in come]


def _pair_up(gone: list[str], come: list[str], widest: int) -> Iterator[tuple[int, int]]:
    """Which line took the place of which, by their numbers: one after the other, or else those that are alike."""
    if len(gone) == len(come):
        yield from zip(range(len(gone)), range(len(come)), strict=True)
        return
    left = list(range(len(come)))
    for number, line in enumerate(gone):
        alike = (one for one in left if len(line) > widest and _are_alike(line, come[one]))
        found = next(alike, None)
        if found is not None:
            left = [one for one in left if one > found]
            yield number, found


def _are_alike(before: str, after: str) -> bool:
    old, new = before.split()[:_MANY_WORDS], after.split()[:_MANY_WORDS]
    return SequenceMatcher(None, old, new).ratio() >= _ALIKE


def _shorten_pair(before: str, after: str, widest: int) -> tuple[str, str]:
    """Two long lines without the words that they share, but for those beside a change."""
    if max(len(before), len(after)) <= widest:
        return before, after
    old, new = _WORD.findall(before), _WORD.findall(after)
    parts: tuple[list[str], list[str]] = ([], [])
    opcodes = SequenceMatcher(None, old, new, autojunk=len(old) > _MANY_WORDS).get_opcodes()
    for number, (what, i1, i2, j1, j2) in enumerate(opcodes):
        if what == "equal":
            words = _shorten_run(old[i1:i2], is_first=not number, is_last=number == len(opcodes) - 1)
            parts[0].extend(words)
            parts[1].extend(words)
        else:
            parts[0].extend(old[i1:i2])
            parts[1].extend(new[j1:j2])
    return "".join(parts[0]), "".join(parts[1])


def _shorten_run(words: list[str], *, is_first: bool, is_last: bool) -> list[str]:
    head, tail = ([] if is_first else words[:_WORDS_AROUND]), ([] if is_last else words[-_WORDS_AROUND:])
    return [*head, "... ", *tail] if len(words) > len(head) + len(tail) + 1 else words
