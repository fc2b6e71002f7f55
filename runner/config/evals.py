"""What is left of OpenAI's hosted Evals, which ended on 2026-11-30, as assistants and scenarios.

Four kinds of file: an eval with its graders, a run with its questions and rows, a run's output items, and the
dashboard's results as JSON Lines. An eval needs one of the others, which have the rows. Source: openai 3.57.0.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain, count
from typing import Any

from runner.config.exported_assistants import Export, as_items, as_mapping, is_number, settle
from runner.config.imported_scenarios import (
    MODEL_TO_CHOOSE,
    Check,
    Columns,
    Foreign,
    Json,
    Lost,
    Script,
    Suite,
    Template,
    Turn,
    ask_for_meaning,
    column_name,
    gather,
    literal,
    look_up,
    make_name,
    templates_of,
)
from runner.errors import UsageError

_HOLE = re.compile(r"\{\{\s*(item|sample)\.([^{}]+?)\s*\}\}")
_WHOLE = re.compile(r"\s*\{\{\s*(item|sample)\.([^{}]+?)\s*\}\}\s*")
_PATH_PART = re.compile(r"[^.\[\]]+")
_ANSWER = "output_text"
_SAMPLED = re.compile(r"output_json\.(.+)")
_CALLED = re.compile(r"(?:output_tools|choices\[0\]\.message\.tool_calls)\[\d+\]\.function\.name")
_QUESTIONS = ("question", "input", "prompt", "query", "ask", "user_input", "message", "text")
"""What a column is called that is asked, where no run says so."""
_SIMILAR = frozenset("fuzzy_match bleu gleu meteor rouge_1 rouge_2 rouge_3 rouge_4 rouge_5 rouge_l".split())
"""Metrics that `similar` has by the same names; `cosine` compares meanings, which a judge does here."""


_LONGEST_NAME = 60
_CALLED_AS = """

def judge(turn):
    \"\"\"What runner calls: the grader's score for one answer.\"\"\"
    import json

    try:
        parsed = json.loads(turn["answer"])
    except ValueError:
        parsed = None
    tools = [{"function": {"name": step["tool"], "arguments": step["input"]}} for step in turn["steps"]]
    sample = {"output_text": turn["answer"], "output_json": parsed, "output_tools": tools}
    return max(0.0, min(1.0, float(grade(sample, turn["item"]))))
"""
"""What stands below a grader's source."""


@dataclass(slots=True)
class _Found:
    """What the files have, taken together."""

    evals: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    items: list[Json] = field(default_factory=list)
    results: list[Json] = field(default_factory=list)
    has_more: bool = False


def is_of_evals(value: object) -> bool:
    """Whether a parsed JSON file is one of the four kinds."""
    page = value.get("data") if isinstance(value, Mapping) and "object" in value else None
    items = page if isinstance(page, list) else value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(one, Mapping) and _kind(one) for one in items)


def _kind(one: Json) -> str:
    """The list of `_Found` that it belongs to; "" for none."""
    said = {"eval": "evals", "eval.run": "runs", "eval.run.output_item": "items"}.get(str(one.get("object")), "")
    if said or "object" in one:
        return said
    if "testing_criteria" in one:
        return "evals"
    return "results" if "item" in one and one.keys() & {"grades", "sample", "run_id", "data_source_idx"} else ""


def read_evals(values: Sequence[object], *, source: str, stem: str) -> Foreign:
    """One suite out of files of one eval. Raises UsageError where more than one is meant."""
    found = _sort(values)
    if len(found.evals) > 1:
        names = ", ".join(str(one.get("name") or one.get("id"))[:40] for one in found.evals)
        raise UsageError(f"{source}: {len(found.evals)} evals are in it ({names}); import them one by one")
    evaluation = found.evals[0] if found.evals else {}
    lost = list(_lose_of_eval(evaluation))
    if found.has_more:
        lost.append(Lost(what="has_more", reason="its list goes on after this page: export the next one too"))
    name = make_name(str(evaluation.get("name") or (found.runs[0].get("name") if found.runs else "") or stem), stem)
    asked = _choose_run(found.runs, lost)
    fields = _Fields(_read_rows(asked, found, lost), stem)
    checks: list[Check | Lost] = []
    for grader in as_items(evaluation.get("testing_criteria")):
        checks += _read_grader(as_mapping(grader), fields)
    turns, instructions = _read_questions(asked, found, fields, lost)
    skip = "" if turns else "no file says what was asked"
    turns = turns or [Turn(ask=literal("..."))]
    turns[-1] = replace(turns[-1], expect=tuple(checks))
    columns = [fields.fill(row) for row in fields.rows] or [fields.show_holes()]
    scripts = [Script(name=name, assistant="", turns=tuple(turns), rows=(row,), skip=skip) for row in columns]
    body = {"name": name, **_read_model(asked, found, lost), **({"instructions": instructions} if instructions else {})}
    if fields.code:
        lost.append(Lost(what="python graders", reason="an exception of theirs was a 0 there, here it is an error"))
    scripts_with_rows = gather(scripts, keeps_columns=bool(fields.code))
    suite = Suite(stem=stem, source=source, scripts=scripts_with_rows, lost=tuple(lost), code=fields.code)
    return Foreign(assistants={"": Export(body=settle(body))}, suite=suite)


def _sort(values: Sequence[object]) -> _Found:
    found = _Found()
    for value in values:
        page = as_mapping(value)
        found.has_more |= page.get("has_more") is True
        listed = page.get("data") if "object" in page else None
        for one in listed if isinstance(listed, list) else value if isinstance(value, list) else [value]:
            getattr(found, _kind(as_mapping(one))).append(as_mapping(one))
    return found


def _lose_of_eval(evaluation: Json) -> Iterator[Lost]:
    config = as_mapping(evaluation.get("data_source_config"))
    if config.get("type") not in (None, "custom"):
        yield Lost(what="data_source_config", reason="logs and stored completions stay with OpenAI", value=config)
    if evaluation.get("metadata"):
        yield Lost(what="metadata", reason="words to choose by are `tags`", value=evaluation["metadata"])


def _choose_run(runs: Sequence[Json], lost: list[Lost]) -> Json:
    """The first that has rows; the others are told."""
    if not runs:
        return {}
    chosen = next((run for run in runs if _content_of(run)), runs[0])
    for run in runs:
        if run is not chosen:
            model = run.get("model") or look_up(run, ("data_source", "model"))
            what = f"the run {run.get('name') or run.get('id')}"
            lost.append(Lost(what=what, reason="one play has one model: `--model` plays another", value=model))
    return chosen


def _content_of(run: Json) -> list[Any]:
    return as_items(look_up(run, ("data_source", "source", "content")))


def _read_rows(run: Json, found: _Found, lost: list[Lost]) -> list[Json]:
    """The items, each once, in their order."""
    source = as_mapping(look_up(run, ("data_source", "source")))
    rows = [as_mapping(as_mapping(one).get("item")) for one in _content_of(run)]
    if not rows and source:
        reason = "its rows stay with OpenAI: import the run's output items or results beside it"
        lost.append(Lost(what="source", reason=reason, value=source))
    rows = rows or [as_mapping(one.get("datasource_item")) for one in found.items]
    rows = rows or [as_mapping(one.get("item")) for one in found.results]
    unique: list[Json] = []
    seen: set[str] = set()
    for row in rows:
        if (key := repr(sorted(row.items(), key=str))) not in seen:
            seen.add(key)
            unique.append(row)
    return unique


@dataclass(slots=True)
class _Fields:
    """Which fields of the rows the texts have, by the columns that they are here, and graders' code by its file."""

    rows: Sequence[Json]
    stem: str
    columns: Columns = field(default_factory=Columns)
    code: dict[str, str] = field(default_factory=dict)

    def make(self, text: str) -> Template:
        """Raises ValueError for what no row has."""
        holes = list(_HOLE.finditer(text))
        if any(hole[1] == "sample" for hole in holes):
            raise ValueError("it has a part of the answer in it")
        return self.columns.cut(text, holes, 2)

    def fill(self, row: Json) -> dict[str, object]:
        """The columns of a row; all that it has where code may look at it."""
        found = {column: look_up(row, _PATH_PART.findall(path)) for column, path in self.columns.paths.items()}
        return {**row, **found} if self.code else found

    def show_holes(self) -> dict[str, object]:
        """Where no rows are known, what they would be filled into."""
        return {column: f"{{{{ item.{path} }}}}" for column, path in self.columns.paths.items()}


def _read_questions(run: Json, found: _Found, fields: _Fields, lost: list[Lost]) -> tuple[list[Turn], str]:
    """The turns, none where nobody knows, and the instructions."""
    messages = as_items(look_up(run, ("data_source", "input_messages", "template")))
    if reference := look_up(run, ("data_source", "input_messages", "item_reference")):
        lost.append(Lost(what="input_messages", reason="each row has messages of its own", value=reference))
    texts = [(str(one.get("role")), _read_content(one.get("content"), lost)) for one in map(as_mapping, messages)]
    instructions, asks = [], []
    for role, text in texts:
        if role == "user":
            asks.append(fields.make(text))
        elif role in ("system", "developer") and not _HOLE.search(text):
            instructions.append(text)
        else:
            reason = "here the assistant answers by itself" if role == "assistant" else "instructions are one text here"
            lost.append(Lost(what=f"a message of the {role}'s", reason=reason, value=text))
    if asks:
        return [Turn(ask=ask) for ask in asks], "\n\n".join(instructions)
    return _guess_question(found, fields, lost)


def _guess_question(found: _Found, fields: _Fields, lost: list[Lost]) -> tuple[list[Turn], str]:
    """Where no run says what was asked: what an output item was sent, else the column that looks like a question."""
    sent = [as_items(look_up(one, ("sample", "input"))) for one in found.items]
    if sent and all(sent):
        asked = [_said_by(messages, "user") for messages in sent]
        if all(asked) and len(asked) == len(fields.rows):
            fields.rows = [{**row, "asked": one[-1]} for row, one in zip(fields.rows, asked, strict=True)]
            instructions = "\n\n".join(_said_by(sent[0], "system", "developer"))
            return [Turn(ask=fields.make("{{ item.asked }}"))], instructions
    texts = [name for name, value in (fields.rows[0] if fields.rows else {}).items() if isinstance(value, str)]
    free = [name for name in texts if name not in fields.columns.paths.values()]
    named = next((name for name in _QUESTIONS if name in texts), free[0] if len(free) == 1 else "")
    if not named:
        return [], ""
    lost.append(Lost(what="the question", reason="no file says what was asked; this column is a guess", value=named))
    return [Turn(ask=fields.make(f"{{{{ item.{named} }}}}"))], ""


def _said_by(messages: Sequence[object], *roles: str) -> list[str]:
    return [str(one.get("content")) for one in map(as_mapping, messages) if one.get("role") in roles]


def _read_content(content: object, lost: list[Lost]) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in parts:
        text = as_mapping(part).get("text")
        if isinstance(text, str):
            texts.append(text)
        else:
            lost.append(Lost(what="a part of a message", reason="files go under `attach`", value=part))
    return "\n".join(texts)


def _read_model(run: Json, found: _Found, lost: list[Lost]) -> dict[str, object]:
    """The model and its settings, in the words of an exported assistant."""
    source = as_mapping(run.get("data_source"))
    answered = (look_up(one, ("sample", "model")) for one in found.items)
    model = source.get("model") or run.get("model") or next((one for one in answered if isinstance(one, str)), None)
    if not model:
        lost.append(Lost(what="the model", reason=f"no file says which; {MODEL_TO_CHOOSE} is made up"))
    settings = {key: value for key, value in as_mapping(source.get("sampling_params")).items() if value is not None}
    if wanted := as_mapping(settings.pop("text", None)).get("format"):
        settings["response_format"] = wanted
    return {"model": model or MODEL_TO_CHOOSE, **settings}


def _read_grader(grader: Json, fields: _Fields) -> list[Check | Lost]:
    kind, name = str(grader.get("type")), str(grader.get("name") or "")
    what = f"{kind} {name}".strip()
    reader = _GRADERS.get(kind)
    if reader is None:
        reason = "this kind is for fine-tuning only" if kind == "multi" else "there is no check of this kind"
        return [Lost(what=what, reason=reason, value=dict(grader))]
    try:
        return [reader(grader, fields)]
    except (ValueError, TypeError) as error:
        return [Lost(what=what, reason=str(error), value=dict(grader))]


def _read_string_check(grader: Json, fields: _Fields) -> Check:
    operation = {"neq": "ne"}.get(str(grader.get("operation")), str(grader.get("operation")))
    asked, reference = str(grader.get("input") or ""), str(grader.get("reference") or "")
    if operation in ("eq", "ne") and not _WHOLE.fullmatch(asked):
        asked, reference = reference, asked
    check = _about(asked, _compare(operation, fields.make(reference)))
    return {"not": check} if operation == "ne" else check


def _compare(operation: str, wanted: Template) -> Check:
    if operation in ("eq", "ne"):
        return {"equals": {"value": wanted, "case": True}}
    if operation in ("like", "ilike"):
        return {"contains": {"value": wanted, "words": False, **({"case": True} if operation == "like" else {})}}
    raise ValueError(f"there is no comparison '{operation[:20]}'")


def _about(asked: str, check: Check) -> Check:
    """The check on what a grader looks at: the answer, a field of it, or the name of a function that was called."""
    hole = _WHOLE.fullmatch(asked)
    if not hole or hole[1] != "sample":
        raise ValueError("what it looks at is more, or other, than the answer")
    if hole[2] == _ANSWER:
        return check
    if found := _SAMPLED.fullmatch(hole[2]):
        return {"json_path": {"path": f"$.{found[1]}", "expect": [check]}}
    if _CALLED.fullmatch(hole[2]) and isinstance(check, Mapping) and "equals" in check:
        return {"tool_called": check["equals"]["value"]}
    raise ValueError("what it looks at is more, or other, than the answer")


def _read_similarity(grader: Json, fields: _Fields) -> Check:
    by = str(grader.get("evaluation_metric"))
    if by == "cosine":
        wanted = fields.make(str(grader.get("reference") or ""))
        return _about(str(grader.get("input") or ""), {"judge": ask_for_meaning(wanted)})
    if by not in _SIMILAR:
        raise ValueError("there is no similarity of this kind")
    least, wanted = _read_threshold(grader), fields.make(str(grader.get("reference") or ""))
    return _about(str(grader.get("input") or ""), {"similar": {"value": wanted, "by": by, "threshold": least}})


def _read_threshold(grader: Json) -> int | Decimal:
    least = grader.get("pass_threshold")
    if not is_number(least):
        raise ValueError("it has no `pass_threshold`")
    return least


def _read_rubric(grader: Json, fields: _Fields) -> Template:
    """What a model was told to judge by. The answer, and what it was asked, get to our judge by themselves."""
    texts = []
    for message in map(as_mapping, as_items(grader.get("input"))):
        lost: list[Lost] = []
        texts.append(_read_content(message.get("content"), lost))
        if lost:
            raise ValueError("its messages have more than text")
    joined = "\n\n".join(text for text in texts if text.strip())
    if not joined:
        raise ValueError("it has no words to judge by")
    shown = re.sub(r"\{\{\s*sample\.output_text\s*\}\}", "(the answer)", joined)
    return fields.make(shown)


def _read_label_model(grader: Json, fields: _Fields) -> Check:
    labels, passing = as_items(grader.get("labels")), as_items(grader.get("passing_labels"))
    if len(labels) < 2 or not passing:
        raise ValueError("it has no labels to choose from")
    chosen = {"choices": templates_of(labels, literal), "accept": templates_of(passing, literal)}
    return {"judge": [{"ask": _read_rubric(grader, fields), **chosen}]}


def _read_score_model(grader: Json, fields: _Fields) -> Check:
    scale = as_items(grader.get("range")) or [0, 1]
    least, levels = _read_threshold(grader), _make_levels(scale)
    right = next((level for level in levels if Decimal(level) >= least), None)
    if right is None:
        raise ValueError("its `pass_threshold` is above its range")
    shown = {"levels": [literal(level) for level in levels], "at_least": literal(right)}
    return {"judge": [{"ask": _read_rubric(grader, fields), **shown}]}


def _make_levels(scale: Sequence[Any]) -> list[str]:
    """A range of numbers as few levels: its whole numbers, or five steps. Raises ValueError."""
    if len(scale) != 2 or not all(isinstance(one, int | Decimal) for one in scale) or scale[0] >= scale[1]:
        raise ValueError("its `range` is none")
    low, high = map(Decimal, scale)
    steps = int(high - low) if low == int(low) and high == int(high) and 1 < high - low < 10 else 4
    return [f"{(low + (high - low) * step / steps).normalize():f}" for step in range(steps + 1)]


def _read_python(grader: Json, fields: _Fields) -> Check:
    source, least = str(grader.get("source") or ""), _read_threshold(grader)
    if not _defines_grade(source):
        raise ValueError("its source has no function `grade`")
    if not 0 < least <= 1:
        raise ValueError("it has no `pass_threshold` above 0")
    base = f"{fields.stem}_{column_name(str(grader.get('name') or 'grader'))[:_LONGEST_NAME]}"
    file = next(name for name in chain([f"{base}.py"], (f"{base}_{n}.py" for n in count(2))) if name not in fields.code)
    fields.code[file] = f"{source.rstrip()}\n{_CALLED_AS}"
    return {"python": {"call": literal(f"{file}:judge"), "threshold": least}}


def _defines_grade(source: str) -> bool:
    """Looked at, never run."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(one, ast.FunctionDef) and one.name == "grade" for one in tree.body)


_GRADERS: Mapping[str, Callable[[Json, _Fields], Check]] = {
    "string_check": _read_string_check,
    "text_similarity": _read_similarity,
    "label_model": _read_label_model,
    "score_model": _read_score_model,
    "python": _read_python,
}
