"""Record and replay: what a play was told, in a readable file for each scenario, and the same play without a network.

What is kept is a run for each question, not the requests that it took: those differ from one time to the next (ids,
polls, pages), and would be unreadable in a diff. See docs/adr/0075.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher, get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import yaml

from runner.backends import (
    Backend,
    Capabilities,
    Files,
    Question,
    RemoteAssistant,
    RemoteStore,
)
from runner.did_you_mean import count, quote
from runner.domain.assistant import Assistant, describe_definition
from runner.domain.conversation import (
    FileId,
    FunctionAnswer,
    FunctionCall,
    Run,
    RunId,
    RunStatus,
    StoreId,
    ThreadId,
    Usage,
)
from runner.domain.files import FileUse
from runner.domain.judgement import Answer, Answers, Questions
from runner.domain.report import Variant
from runner.domain.result_json import as_plain, run_as_json, run_from_json
from runner.errors import RemoteError, UsageError
from runner.escaping import file_name
from runner.redaction import REPLACEMENT, scrub
from runner.sync import hash_content
from runner.whole_file import write_whole

VERSION = 1
SCENARIO: ContextVar[str] = ContextVar("SCENARIO", default="")
"""The name of the scenario that the task plays: a question doesn't say for whom it is asked."""
LABEL: ContextVar[str] = ContextVar("LABEL", default="")
"""The label of the variant that it is played on: the judge is one for all."""
_TARGET_FILE, _JUDGE = "_target.yaml", "_judge"
_HEAD = "# Recorded by `runner play --record`, played with `--replay`: to be committed, not edited.\n"
_LONG = "sha256 "
_LONGEST_TEXT, _LONGEST_PART, _LONGEST_QUOTE = 4_000, 400, 120
# What differs each time, or is the server's own.
_NOT_KEPT = ("id", "thread_id", "duration_s", "replayed", "ending")
_SILENT = run_as_json(Run(id=RunId(""), thread_id=ThreadId(""), status=RunStatus.COMPLETED))
Data = dict[str, Any]
Judge = Callable[[Questions], Awaitable[Answers]]


@dataclass(frozen=True, slots=True)
class Tape:
    """The recordings of one variant, in a folder. `clean` takes secrets out of all that is kept or compared."""

    folder: Path
    clean: Callable[[str], str]

    def scrub(self, data: Any) -> Any:
        return scrub(data, self.clean)

    def path_of(self, scenario: str) -> Path:
        name = file_name(scenario)
        # Two names may come to the same file's.
        mark = "" if name == scenario else f"-{_hash(scenario)[:6]}"
        return self.folder / f"{name}{mark}.yaml"

    def write(self, name: str, data: Data) -> None:
        write_whole(self.folder / name, _HEAD + _dump({"version": VERSION, **data}), what="the recording")

    def read(self, path: Path) -> Data:
        """Raises FileNotFoundError, and UsageError for what is no recording."""
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            if data["version"] != VERSION:
                raise UsageError(f"{path} is a recording of version {data['version']}, not {VERSION}")
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError, KeyError, RecursionError, yaml.YAMLError) as error:
            raise UsageError(f"{path} is no recording: {' '.join(str(error).split())[:200]}") from error
        return cast(Data, data)


@dataclass(frozen=True, slots=True)
class _Told:
    """A question: all that is sent with it, and its key. `attempt` is which conversation of its scenario it is in.

    `fields` are what the definition is made of.
    """

    key: str
    sent: Data
    fields: Data
    attempt: int
    before: tuple[str, ...]


class Threads:
    """What each thread has heard so far, as the keys of its questions; repeats are under way side by side.

    `uploads` are known by their ids: questions name nothing else.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.uploads: dict[FileId, Data] = {}
        self._heard: dict[ThreadId, _Told] = {}
        self._begun: Counter[str] = Counter()
        self._definitions: dict[str, tuple[str, Data]] = {}

    def describe(self, question: Question) -> _Told:
        deployment = question.deployment
        last = self._heard.get(question.thread_id) if question.thread_id else None
        before = (*last.before, last.key) if last else ()
        if last is None:
            self._begun[SCENARIO.get()] += 1
        if deployment.definition_hash not in self._definitions:
            self._definitions[deployment.definition_hash] = _describe_definition(deployment.assistant, self._tape)
        definition, fields = self._definitions[deployment.definition_hash]
        sent = {
            "assistant": str(deployment.assistant.address),
            "definition": definition,
            "turn": len(before) + 1,
            "question": question.text,
            "attachments": [
                self.uploads.get(file_id, {"name": file_id, "for": use.value}) for file_id, use in question.attachments
            ],
        }
        cleaned = self._tape.scrub(sent)
        key = _hash(json.dumps([before, cleaned], sort_keys=True))[:16]
        return _Told(key, cleaned, fields, last.attempt if last else self._begun[SCENARIO.get()], before)

    def note(self, told: _Told, thread_id: ThreadId) -> None:
        self._heard[thread_id] = told


class Recorder:
    """A backend that keeps what it is told; all but questions and uploads goes through as it is."""

    def __init__(self, backend: Backend, tape: Tape) -> None:
        self._backend = backend
        self._tape = tape
        self._threads = Threads(tape)
        self.files = _RecordedFiles(backend.files, self._threads.uploads)
        self._exchanges: dict[str, dict[str, Data]] = {}
        self._definitions: dict[str, dict[str, Data]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    async def ask(self, question: Question) -> Run:
        calls: list[Data] = []
        told = self._threads.describe(question)
        heard = replace(question, answer=_overhear(question.answer, calls)) if question.answer else question
        try:
            run = await self._backend.ask(heard)
        except RemoteError:
            self._forget(told)
            raise
        self._threads.note(told, run.thread_id)
        self._keep(told, {**_shrink(run), **({"calls": calls} if calls else {})})
        return run

    def _keep(self, told: _Told, run: Data) -> None:
        """Written anew after each run: what a crash leaves can be played as far as it goes."""
        scenario = SCENARIO.get()
        self._definitions.setdefault(scenario, {})[told.sent["definition"]] = told.fields
        exchanges = self._exchanges.setdefault(scenario, {})
        exchanges.setdefault(told.key, {"key": told.key, "sent": told.sent, "runs": {}})["runs"][told.attempt] = run
        self._write(scenario, exchanges.values())

    def _forget(self, told: _Told) -> None:
        """A conversation that an error on the way has ended: the one that is begun instead takes its number."""
        exchanges = self._exchanges.get(SCENARIO.get(), {})
        for one in exchanges.values():
            one["runs"].pop(told.attempt, None)

    def _write(self, scenario: str, exchanges: Iterable[Data]) -> None:
        """In the order of the conversations, whichever was answered first: the file is the same each time."""
        heard = [one for one in exchanges if one["runs"]]
        numbers = {attempt: at for at, attempt in enumerate(sorted({key for one in heard for key in one["runs"]}), 1)}
        told = [
            {**one, "runs": [_number(numbers[attempt], run) for attempt, run in sorted(one["runs"].items())]}
            for one in heard
        ]
        whole = {"scenario": scenario, "definitions": self._definitions[scenario], "exchanges": told}
        self._tape.write(self._tape.path_of(scenario).name, self._tape.scrub(whole))


def _number(attempt: int, run: Data) -> Data:
    return {"attempt": attempt, **run} if attempt > 1 else run


def _describe_file(path: Path, name: str, use: FileUse) -> Data:
    return {"name": name, "for": use.value, "sha256": hash_content(path)}


class _RecordedFiles:
    def __init__(self, files: Files, uploads: dict[FileId, Data]) -> None:
        self._files = files
        self._uploads = uploads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    async def upload_file(self, path: Path, name: str, use: FileUse, **options: Any) -> FileId:
        file_id = await self._files.upload_file(path, name, use, **options)
        self._uploads[file_id] = _describe_file(path, name, use)
        return file_id


def record(backend: Backend, folder: Path, variant: Variant, clean: Callable[[str], str]) -> Backend:
    """The same backend, which keeps what it is told under `folder`. Raises WriteFailed."""
    tape = Tape(_folder_of(folder, variant.label), clean)
    tape.write(_TARGET_FILE, {"api": variant.api, "inference": variant.inference, "sandbox": variant.sandbox})
    return cast(Backend, Recorder(backend, tape))


def replay(
    folder: Path, variant: Variant, capabilities: Capabilities, clean: Callable[[str], str]
) -> tuple[Backend, Variant]:
    """A backend without a remote side, and the variant as it was. Raises UsageError if nothing is recorded for it."""
    tape = Tape(_folder_of(folder, variant.label), clean)
    try:
        was = tape.read(tape.folder / _TARGET_FILE)
    except FileNotFoundError:
        known = [path.parent.name for path in folder.glob(f"*/{_TARGET_FILE}")]
        hint = f"; there is {', '.join(sorted(known))}" if known else ""
        raise UsageError(f"nothing is recorded in {folder} for {variant.label}{hint}") from None
    if was.get("api") != variant.api:
        raise UsageError(f"{folder}: {variant.label} was recorded with api {was.get('api')}, and has api {variant.api}")
    told = replace(variant, inference=was.get("inference"), sandbox=was.get("sandbox"))
    return Replayer(tape, replace(capabilities, stores_assistants=False)), told


def record_judge(judge: Judge, folder: Path, model: str, clean: Callable[[str], str]) -> Judge:
    """The same judge, which keeps what it says under `folder`. Raises WriteFailed."""
    kept: dict[tuple[str, str], dict[str, Data]] = {}

    async def ask(questions: Questions) -> Answers:
        said = await judge(questions)
        tape = Tape(_folder_of(folder, LABEL.get()) / _JUDGE, clean)
        key, sent = _describe_questions(questions, model, tape)
        exchanges = kept.setdefault((LABEL.get(), SCENARIO.get()), {})
        exchanges.setdefault(key, {"key": key, "sent": sent, "said": []})["said"].append(as_plain(asdict(said)))
        # Checks are judged side by side: by key, so that the file is the same each time.
        told = {"scenario": SCENARIO.get(), "exchanges": [exchanges[one] for one in sorted(exchanges)]}
        tape.write(tape.path_of(SCENARIO.get()).name, tape.scrub(told))
        return said

    return ask


def replay_judge(folder: Path, model: str, clean: Callable[[str], str]) -> Judge:
    """A judge that says what it said."""
    played: Counter[tuple[str, str, str]] = Counter()

    async def ask(questions: Questions) -> Answers:
        scenario, label = SCENARIO.get(), LABEL.get()
        tape = Tape(_folder_of(folder, label) / _JUDGE, clean)
        key, sent = _describe_questions(questions, model, tape)
        try:
            exchanges = tape.read(tape.path_of(scenario))["exchanges"]
            said = {one["key"]: one["said"] for one in exchanges}.get(key)
            if said is None:
                known = [_differences(_all_asked(one["sent"]), _all_asked(sent)) for one in exchanges]
                differences = min(known, key=lambda one: sum(map(len, one)))
                raise RemoteError(f"not recorded: the judge was asked about '{scenario}', but {'; '.join(differences)}")
            played[label, scenario, key] += 1
            return answers_from_json(said[played[label, scenario, key] - 1])
        except FileNotFoundError:
            raise RemoteError(f"not recorded: the judge was asked nothing about '{scenario}'") from None
        except IndexError:
            raise RemoteError(f"not recorded: the judge was asked less often about '{scenario}'") from None
        except (UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise RemoteError(f"not recorded: what the judge said of '{scenario}' is damaged ({error})") from error

    return ask


def _describe_questions(questions: Questions, model: str, tape: Tape) -> tuple[str, Data]:
    sent = tape.scrub(as_plain({"model": model, **asdict(questions)}))
    return _hash(json.dumps(sent, sort_keys=True))[:16], sent


def answers_from_json(said: Data) -> Answers:
    answers = {name: Answer(**one) for name, one in said["answers"].items()}
    usage = Usage(**said["usage"]) if said["usage"] else None
    return Answers(**{**said, "answers": answers, "usage": usage})


def _folder_of(folder: Path, label: str) -> Path:
    return folder / file_name(label)


async def _find_nothing(*_: Any, **__: Any) -> Any:
    """What any look at the remote side comes to, and any change of it."""
    return ()


class Replayer:
    """A backend that answers from recordings, and has no remote side: what is made on it is forgotten."""

    def __init__(self, tape: Tape, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._tape = tape
        self._threads = Threads(tape)
        self.files: Files = _NoFiles(self._threads.uploads)
        self._read_already: dict[str, Data] = {}

    async def ask(self, question: Question) -> Run:
        """Raises RemoteError for what was never recorded: it names the nearest, and the difference."""
        scenario = SCENARIO.get()
        told = self._threads.describe(question)
        recorded = self._read(scenario)
        found = next((one for one in recorded["exchanges"] if one["key"] == told.key), None)
        if found is None:
            raise RemoteError(_explain_miss(scenario, told, recorded))
        run = next((one for one in found["runs"] if one.get("attempt", 1) == told.attempt), None)
        if run is None:
            raise RemoteError(_explain_lack(scenario, told, recorded))
        printed = await self._call_again(scenario, question, run.get("calls", ()))
        thread_id = ThreadId(f"recorded-{told.key}-{told.attempt}")
        self._threads.note(told, thread_id)
        kept = {name: value for name, value in run.items() if name not in ("calls", "attempt")}
        grown = _grow(kept, RunId(f"run-{thread_id}"), thread_id)
        steps = (replace(step, printed=next(printed.get(step.tool, iter(())), "")) for step in grown.steps)
        return replace(grown, steps=tuple(steps))

    def _read(self, scenario: str) -> Data:
        if scenario not in self._read_already:
            try:
                data = self._tape.read(self._tape.path_of(scenario))
                _check_shape(data)
                self._read_already[scenario] = data
            except FileNotFoundError:
                known = [path.stem for path in self._tape.folder.glob("*.yaml") if path.name != _TARGET_FILE]
                near = get_close_matches(scenario, known, n=3, cutoff=0.4)
                hint = f"did you mean {quote(near[0])}?" if near else f"there are {count(len(known), 'other')}"
                hint += f" There is {' and '.join(near[1:])}, too" if near[1:] else ""
                raise RemoteError(f"not recorded: there is nothing of '{scenario}'; {hint}") from None
            except UsageError as error:
                raise RemoteError(f"not recorded: {error}") from error
        return self._read_already[scenario]

    async def _call_again(self, scenario: str, question: Question, calls: Sequence[Data]) -> dict[str, Iterator[str]]:
        """The functions of the project answer anew, and what they say was sent, too. Returns what each printed."""
        printed: dict[str, list[str]] = {call["name"]: [] for call in calls}
        for number, call in enumerate(calls):
            if question.answer is None:
                raise RemoteError(f"not recorded: '{scenario}' called {call['name']}, and there is no function now")
            if REPLACEMENT in call["arguments"]:
                printed[call["name"]].append("")
                continue  # With the secret in it, nobody can call it again.
            asked = FunctionCall(
                id=f"call-{number}", name=call["name"], arguments=call["arguments"], recorded=call["output"]
            )
            given = await question.answer(asked)
            printed[call["name"]].append(given.printed)
            answer = self._tape.scrub(given.output)
            if answer != call["output"]:
                was, now = _contrast(call["output"], answer)
                raise RemoteError(
                    f"not recorded: function {call['name']} answered {was} when '{scenario}' was recorded, "
                    f"and now {now}"
                )
        return {name: iter(texts) for name, texts in printed.items()}

    async def create_assistant(self, *_: Any) -> RemoteAssistant:
        raise RemoteError("a replay has no remote side")

    update_assistant = tag_assistant = create_assistant

    list_assistants = delete_assistant = delete_thread = delete_container = staticmethod(_find_nothing)
    find_threads = find_containers = staticmethod(_find_nothing)


class _NoFiles:
    """Files are read and forgotten; their ids are their hashes."""

    def __init__(self, uploads: dict[FileId, Data]) -> None:
        self._uploads = uploads

    async def upload_file(self, path: Path, name: str, use: FileUse, **_: Any) -> FileId:
        told = _describe_file(path, name, use)
        file_id = FileId(f"file-{_hash(' '.join(told.values()))[:24]}")
        self._uploads[file_id] = told
        return file_id

    async def create_store(
        self, name: str, tags: Mapping[str, str], *, expires_after_days: int | None = None  # noqa: ARG002
    ) -> RemoteStore:  # fmt: skip
        return RemoteStore(id=StoreId(f"store-{_hash(name)[:12]}"), created_at=0, metadata=tags)

    list_stores = list_store_files = attach_files = tag_store = staticmethod(_find_nothing)
    delete_file = delete_store = detach_file = staticmethod(_find_nothing)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as such; nothing is folded, so that a secret can't be either."""


def _dump_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _dump_text)


def _dump(data: Data) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _overhear(
    answer: Callable[[FunctionCall], Awaitable[FunctionAnswer]], calls: list[Data]
) -> Callable[[FunctionCall], Awaitable[FunctionAnswer]]:
    async def heard(call: FunctionCall) -> FunctionAnswer:
        given = await answer(call)
        calls.append({"name": call.name, "arguments": call.arguments, "output": given.output})
        return given

    return heard


def _check_shape(data: Data) -> None:
    """Raises UsageError for what somebody has broken by hand."""
    exchanges, definitions = data.get("exchanges"), data.get("definitions")
    parts = exchanges if isinstance(exchanges, list) else [None]
    are_whole = all(isinstance(one, dict) and {"key", "sent", "runs"} <= set(one) for one in parts)
    if not are_whole or not isinstance(definitions, dict):
        raise UsageError("the recording is damaged: it lacks `definitions`, or `key`, `sent` or `runs` of an exchange")


def _describe_definition(assistant: Assistant, tape: Tape) -> tuple[str, Data]:
    """A hash of all of it, and its parts to see which was changed, where what is long is a hash; without secrets."""
    files = {
        f"file {one.name} for {one.use.value}": f"{hash_content(one.path)} {one.chunking or ''}".strip()
        for one in assistant.files
    }
    whole = tape.scrub({**as_plain(describe_definition(assistant)), **files})
    fields = {
        name: value if name not in files and _is_short(value) else _digest(value) for name, value in whole.items()
    }
    return _hash(json.dumps(whole, sort_keys=True))[:12], fields


def _is_short(value: object) -> bool:
    return len(value) <= _LONGEST_TEXT if isinstance(value, str) else len(json.dumps(value)) <= _LONGEST_PART


def _digest(value: object) -> str:
    return f"{_LONG}{_hash(json.dumps(value, sort_keys=True))[:12]}"


def _all_sent(sent: Data, fields: Data) -> Data:
    """What was sent with a question, part by part."""
    attached = {
        f"attachment {one['name']} for {one['for']}": f"{_LONG}{one.get('sha256')}" for one in sent["attachments"]
    }
    said = {name: sent.get(name) for name in ("question", "turn", "assistant")}
    # Of the definition its fields, where they say what differs.
    return {**said, **attached, **fields, "definition": sent.get("definition")}


def _explain_miss(scenario: str, told: _Told, recorded: Data) -> str:
    """The nearest recording, and what is different."""
    now = _all_sent(told.sent, told.fields)
    exchanges = [one["sent"] for one in recorded["exchanges"] if isinstance(one["sent"], dict)]
    if not exchanges:
        return f"not recorded: there is nothing of '{scenario}'"
    definitions = recorded["definitions"]
    known = [_all_sent(sent, definitions.get(sent.get("definition")) or {}) for sent in exchanges]
    nearest = min(known, key=lambda one: _distance(one, now))
    what = "; ".join(_differences(nearest, now)) or "an earlier turn of the conversation was another one"
    return f"not recorded: the nearest recording of '{scenario}' is turn {nearest.get('turn')}, but {what}"


def _all_asked(sent: Data) -> Data:
    """What a judge was asked, part by part."""
    criteria = {one["name"]: one if one["options"] else one["instructions"] for one in sent["questions"]}
    return {**sent, **criteria, "questions": list(criteria)}


def _explain_lack(scenario: str, told: _Told, recorded: Data) -> str:
    """Why a question that was recorded has no answer in this conversation."""
    attempts = {run.get("attempt", 1) for one in recorded["exchanges"] for run in one["runs"]}
    if told.attempt in attempts:
        return f"not recorded: that conversation of '{scenario}' ended before turn {told.sent['turn']} when it was"
    return f"not recorded: '{scenario}' was played {count(len(attempts), 'time')}, and now once more"


def _differences(was: Data, now: Data) -> list[str]:
    """Each part that differs, with what it was and is."""
    changed = [name for name in {**now, **was} if was.get(name) != now.get(name)]
    return [_describe_difference(name, was, now) for name in changed if name != "definition" or changed == [name]]


def _describe_difference(name: str, was: Data, now: Data) -> str:
    if name not in was:
        return f"{name} is new"
    if name not in now:
        return f"{name} is gone"
    if str(was[name]).startswith(_LONG) or str(now[name]).startswith(_LONG):
        return f"{name} changed"
    before, after = _contrast(was[name], now[name])
    return f"{name} was {before}, and is {after}"


def _distance(was: Data, now: Data) -> float:
    likeness = SequenceMatcher(None, str(was.get("question", ""))[:2_000], str(now["question"])[:2_000]).ratio()
    return float(len(_differences(was, now)) + (was.get("turn") != now["turn"]) - likeness)


def _contrast(was: object, now: object) -> tuple[str, str]:
    """Both, in quotes; of long texts the part where they begin to differ."""
    before, after = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in (was, now))
    same = next((place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(before), len(after)) if same is None else same) - _LONGEST_QUOTE // 3)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(text: str, start: int) -> str:
    if len(text) <= _LONGEST_QUOTE:
        return f"'{text}'"
    end = start + _LONGEST_QUOTE
    return f"'{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}'"


def _shrink(run: Run) -> Data:
    """A run without what is empty, and without what is never the same."""
    data = run_as_json(run)
    kept: Data = {key: value for key, value in data.items() if key not in _NOT_KEPT and value != _SILENT[key]}
    if kept.get("raw_answer") == kept.get("answer"):
        kept.pop("raw_answer", None)
    # The ids of files are the server's own.
    found = [one for step in kept.get("steps") or () for one in step["results"]]
    for one in [*(kept.get("citations") or ()), *found]:
        one["file_id"] = one["filename"] or "file"
    for step in kept.get("steps") or ():
        del step["printed"]  # Times and ids, mostly; a replay calls the function again.
    for part in ("steps", "citations", "files"):
        if part in kept:
            kept[part] = [_without_empty(one) for one in kept[part]]
    return {"status": data["status"], **kept}


def _without_empty(part: Mapping[str, Any]) -> Data:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in part.items()
        if value not in ("", None, ())
    }


def _grow(kept: Data, run_id: RunId, thread_id: ThreadId) -> Run:
    """Raises RemoteError for what somebody has broken by hand."""
    try:
        steps = [{"results": (), **step} for step in kept.get("steps", ())]
        whole = {**_SILENT, "raw_answer": kept.get("answer", ""), **kept, "steps": steps}
        mine = {"id": run_id, "thread_id": thread_id, "duration_s": None, "replayed": True}
        return run_from_json({**whole, **mine})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RemoteError(f"not recorded: the recording of '{SCENARIO.get()}' is damaged ({error!r})") from error
