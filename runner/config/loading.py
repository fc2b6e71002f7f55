"""Read a project and its scenarios, and say everything that is wrong with them at once.

So is what they want and a target's API can't do (`find_unsupported`): found before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from runner.backends import Capabilities
from runner.checks._packages import ending_processes
from runner.config.cases import KEY as CASES
from runner.config.cases import move
from runner.config.declared_assistants import read_assistants
from runner.config.declared_targets import read_default_target, read_judge, read_targets
from runner.config.expectations import Declared, Reference, checks_in
from runner.config.file_schemas import assistants_schema, scenario_schema, single_schema
from runner.config.paths import ScenarioFile, find_project_file, find_scenario_files, show_file
from runner.config.scenarios import ScenarioNames, Templates, choose_scenarios, read_scenarios
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import Assistant, History, Namespace, PlainFormat, Price, Project, Server, Target
from runner.domain.files import IMAGE_TYPES, FileUse, LocalFile, file_type, takes_file
from runner.domain.scenario import Scenario, Turn
from runner.errors import ConfigError, Location, NothingFound, Problem, UsageError
from runner.redaction import MIN_SECRET_CHARACTERS, Redactor
from runner.yaml_text import ListNode, MapNode, Node, parse_yaml
from runner.yaml_text.reading import judge_document, read_document
from runner.yaml_text.yaml_document import Advice, Where, YamlDocument

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?:(env|secret):([A-Za-z_][A-Za-z0-9_]*)\}|[^}\s]{0,40}\}?)")
_COLUMN = re.compile(r"(?<!\$)\$\{[^}:]+\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A project without mistakes. `root` is the real folder that files are confined to, `file` its assistants.yaml.

    `scenario_files` are the files that the scenarios came from, those with their cases too.
    `secrets` are the values that `${secret:NAME}` gave: to be kept out of every output. `baseline` is the report that
    plays are compared with, as the file names it at `baseline_at`, "" if it doesn't. `notes` are worth a look, and no
    mistakes.
    """

    project: Project
    scenarios: tuple[Scenario, ...]
    root: Path
    file: Path
    secrets: frozenset[str]
    scenario_files: tuple[Path, ...] = ()
    baseline: str = ""
    baseline_at: Location | None = None
    notes: tuple[str, ...] = ()

    def find_assistant(self, address: str, *, option: str = "") -> Assistant:
        """The one that the file declares under an address. Raises UsageError with what was probably meant."""
        found = self.project.find_assistant(address)
        if found is not None:
            return found
        hint = suggest(address, [one.address for one in self.project.assistants], kind=f"{self.file.name} declares")
        asked = f"{option}: " if option else ""
        raise UsageError(f"{asked}unknown assistant {quote(address)}" + (f"; {hint}" if hint else ""))


@ending_processes()
def load_configuration(
    *,
    file: Path | None,
    scenario_paths: Sequence[str] | None,
    cwd: Path,
    environment: Mapping[str, str],
    inspect: Inspect | None = None,
) -> Configuration:
    """The project of `file`, or of the nearest assistants.yaml from `cwd` upwards, with the scenarios asked for.

    `scenario_paths`: None reads no scenarios, () those of `scenarios/`; files, folders and globs otherwise, a file
    with the place of a scenario if need be. `inspect` finds mistakes in what targets name, to be told with the others.
    Raises ConfigError with all mistakes, UsageError if a file or a place in it
    is missing, NothingFound if a glob or folder is empty.
    """
    loader = _Loader(cwd, environment)
    project_file = find_project_file(file, cwd)
    root = project_file.parent.resolve()
    project, declared = loader.read_project(project_file, root)
    files: tuple[ScenarioFile, ...] = ()
    if scenario_paths is not None:
        try:
            files = find_scenario_files(scenario_paths, cwd=cwd, root=project_file.parent)
        except NothingFound:
            if not loader.problems:
                raise
    read = [(file, *loader.read_scenario_file(file.path, declared)) for file in files]
    if inspect is not None:
        loader.problems += inspect(loader.targets, loader.functions)
    if loader.problems or project is None:
        raise ConfigError(in_order(loader.problems))
    scenarios = choose_scenarios(read, cwd)
    return Configuration(
        project=project,
        scenarios=scenarios,
        root=root,
        file=project_file,
        secrets=frozenset(loader.secrets),
        scenario_files=tuple(file.path for file in files),
        baseline=loader.baseline,
        baseline_at=loader.baseline_at,
        notes=tuple(dict.fromkeys(loader.notes)),
    )


Functions = Mapping[str, Sequence[Mapping[str, object] | None]]
"""What functions of a name are declared to take, by whichever assistants; None where a mistake hides it."""
Inspect = Callable[[Iterable[Target], Functions | None], Iterable[Problem]]
"""Finds mistakes in the files that targets name; without functions where it is not known which there are."""


def functions_of(assistants: Iterable[Assistant]) -> Functions:
    """Of assistants without mistakes."""
    return _by_name({function.name: function.parameters for function in one.functions} for one in assistants)


def _by_name(each: Iterable[Mapping[str, Mapping[str, object] | None]]) -> Functions:
    found: dict[str, list[Mapping[str, object] | None]] = {}
    for name, parameters in chain.from_iterable(one.items() for one in each):
        found.setdefault(name, []).append(parameters)
    return found


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, file by file, as those come up, from top to bottom."""
    files: dict[str, list[Problem]] = {}
    for problem in dict.fromkeys(problems):
        files.setdefault(problem.file, []).append(problem)
    return tuple(
        problem for found in files.values() for problem in sorted(found, key=lambda one: (one.line, one.column))
    )


class _Loader:
    """Reads files one after the other and keeps what they have in common: problems, secrets, scenario names."""

    def __init__(self, cwd: Path, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()
        self.baseline = ""
        self.baseline_at: Location | None = None
        self.notes: list[str] = []
        self.targets: tuple[Target, ...] = ()
        self.functions: Functions | None = None
        self._cwd = cwd
        self._environment = environment
        self._names = ScenarioNames()

    def read_project(self, path: Path, root: Path) -> tuple[Project | None, Reference]:
        """The project, or None if its file has mistakes; and what its scenarios may refer to all the same."""
        file = show_file(path, self._cwd)
        schema = assistants_schema()
        document = read_document(
            path, file=file, schema=lambda _: schema, find_advice=_advise_on_assistants, fill=self._fill
        )
        settings = document.value if isinstance(document.value, dict) else {}
        targets = read_targets(document, settings, root)
        default = read_default_target(document, settings)
        judge = read_judge(document, settings, targets)
        found = list(read_assistants(document, settings, root))
        assistants = tuple(assistant for _, assistant in found if assistant is not None)
        self._keep_problems(document)
        declared = _declare(root, settings, [one for one, _ in found])
        self.targets, self.functions = tuple(targets.values()), _gather_functions(declared)
        if document.problems or not settings:
            return None, declared
        self.baseline = settings.get("baseline", "")
        self.baseline_at = document.location(("baseline",)) if self.baseline else None
        namespace = Namespace(settings["namespace"])
        project = Project(
            namespace=namespace,
            assistants=assistants,
            targets=targets,
            default_target=default,
            prices={model: Price(**price) for model, price in settings.get("prices", {}).items()},
            judge=judge,
        )
        return project, declared

    def read_scenario_file(self, path: Path, declared: Reference) -> tuple[YamlDocument, list[Scenario]]:
        """One file, and its sound scenarios."""
        found: dict[Where, MapNode] = {}

        def cut(root: Node) -> Node:
            rest, templates = _cut_templates(root)
            found.update(templates)
            return rest

        def read_case(tree: MapNode) -> YamlDocument:
            case = YamlDocument(file=document.file, folder=document.folder, root=tree)
            schema = single_schema(checks_in(tree))
            judge_document(case, tree, schema=schema, find_advice=_advise_on_case, fill=self._fill)
            return case

        document = read_document(
            path,
            file=show_file(path, self._cwd),
            schema=lambda root: scenario_schema(checks_in(root)),
            find_advice=_advise_on_scenarios,
            fill=self._fill,
            cut=cut,
        )
        templates = Templates(found=found, read=read_case, note=self.notes.append)
        scenarios = list(read_scenarios(document, declared, self._names, templates))
        self._keep_problems(document)
        return document, scenarios

    def _fill(self, document: YamlDocument) -> None:
        """Put values into the placeholders of a document's value. A refused one stays as written."""
        document.value = self._expand(document.value, (), document)

    def _expand(self, value: object, where: Where, document: YamlDocument) -> object:
        if isinstance(value, dict):
            return {key: self._expand(one, (*where, key), document) for key, one in value.items()}
        if isinstance(value, list):
            return [self._expand(one, (*where, index), document) for index, one in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return _PLACEHOLDER.sub(self._find_value, value)
        except _Refused as error:
            message, hint = error.args
            if where[:1] in (("turns",), ("scenarios",)) and _COLUMN.search(value):
                hint = f"a column needs `cases` beside `turns`; {hint}"
            document.report(where, message, hint)
            return value

    def _find_value(self, match: re.Match[str]) -> str:
        whole, kind, name = match[0], match[1], match[2]
        if whole == "$${":
            return "${"
        if kind is None:
            hint = "write ${env:NAME} or ${secret:NAME}, or $${ for the text '${'"
            raise _Refused(f"{quote(whole)} is no placeholder", hint)
        found = self._environment.get(name)
        if not found:
            state = "not set" if found is None else "empty"
            raise _Refused(f"the environment variable {name} is {state}", f"set {name}, or remove {quote(whole)}")
        if kind == "secret":
            if len(found) < MIN_SECRET_CHARACTERS:
                hint = f"use a longer one, or ${{env:{name}}} if it isn't secret"
                shortness = f"fewer than {MIN_SECRET_CHARACTERS} characters, too few to keep it out of output"
                raise _Refused(f"the secret {name} has {shortness}", hint)
            self.secrets.add(found)
        return found

    def _keep_problems(self, document: YamlDocument) -> None:
        # A message may quote a value that a secret was filled into.
        clean = Redactor(self.secrets).clean
        shown = (
            replace(problem, message=clean(problem.message), hint=clean(problem.hint)) for problem in document.problems
        )
        self.problems += sorted(dict.fromkeys(shown), key=lambda problem: (problem.line, problem.column))


# What explains mistakes is loaded once there is one.
def _advise_on_assistants() -> Advice:
    from runner.config.familiar_words import ASSISTANTS_ADVICE

    return ASSISTANTS_ADVICE


def _advise_on_scenarios() -> Advice:
    from runner.config.familiar_words import SCENARIO_ADVICE

    return replace(SCENARIO_ADVICE, whole=scenario_schema())


def _advise_on_case() -> Advice:
    return replace(_advise_on_scenarios(), whole=single_schema())


def _declare(root: Path, settings: Mapping[str, object], assistants: Sequence[Declared]) -> Reference:
    written, targets = settings.get("assistants"), settings.get("targets")
    bodies = targets if isinstance(targets, dict) else {}
    apis = {name: str(one.get("api")) if isinstance(one, dict) else "" for name, one in bodies.items()}
    return Reference(
        root=root,
        addresses=tuple(written) if isinstance(written, dict) else None,
        assistants={assistant.address: assistant for assistant in assistants},
        targets=apis if settings else None,
        has_judge="judge" in settings if settings else None,
        models=frozenset(_models_in(settings)),
    )


def _models_in(value: object) -> Iterator[str]:
    """What stands under `model` anywhere: with an assistant, or an inference."""
    for key, one in value.items() if isinstance(value, dict) else ():
        if key == "model" and isinstance(one, str):
            yield one
        else:
            yield from _models_in(one)


def _gather_functions(declared: Reference) -> Functions | None:
    """Of all assistants; None where a mistake hides some."""
    each = [one.parameters for one in declared.assistants.values()]
    known = [one for one in each if one is not None]
    is_whole = declared.addresses is not None and len(declared.addresses) <= len(known) == len(each)
    return _by_name(known) if is_whole else None


def _cut_templates(root: Node) -> tuple[Node, dict[Where, MapNode]]:
    """The tree with something harmless in the place of each scenario that has `cases`, and those scenarios.

    What stands under `cases` stays, so that it is held to its schema with the rest.
    """
    found: dict[Where, MapNode] = {}

    def cut(node: Node, where: Where) -> Node:
        cases = node.find(CASES) if isinstance(node, MapNode) else None
        if not isinstance(node, MapNode) or cases is None:
            return node
        found[where] = node
        stub = parse_yaml("{name: '-', turns: [{ask: '-'}], smoke: true}", file="").root
        assert isinstance(stub, MapNode), "it is one"
        return replace(move(stub, node), entries=(*move(stub, node).entries, cases))

    listed = root.find("scenarios") if isinstance(root, MapNode) else None
    if not isinstance(root, MapNode) or listed is None:
        return cut(root, ()), found
    key, scenarios = listed
    if isinstance(scenarios, ListNode):
        scenarios = replace(
            scenarios, items=tuple(cut(one, ("scenarios", at)) for at, one in enumerate(scenarios.items))
        )
    entries = tuple((name, scenarios if name is key else node) for name, node in root.entries)
    return replace(root, entries=entries), found


class _Refused(Exception):
    """A placeholder that has no value: message and hint."""


_MEGABYTE = 1024 * 1024


def find_unsupported(
    project: Project, scenarios: Sequence[Scenario] | None, target: Target, capabilities: Capabilities
) -> tuple[Problem, ...]:
    """Everything that these scenarios and their assistants need in vain; None stands for all assistants by themselves.

    What follows from another problem (attachments for a tool that isn't there) is left out.
    """
    shown = _show_target(target)
    wanted = {scenario.assistant for scenario in scenarios} if scenarios is not None else None
    problems: list[Problem] = []
    for one in project.assistants:
        if wanted is None or one.address in wanted:
            problems += _check_assistant(one, capabilities, shown)
    for scenario in scenarios or ():
        assistant = project.find_assistant(scenario.assistant)
        tools = assistant.tool_names & capabilities.tools if assistant else frozenset()
        for turn in scenario.turns:
            problems += _check_turn(turn, tools, capabilities, shown)
    return tuple(problems)


def _check_assistant(assistant: Assistant, capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    def problem(key: str, message: str, hint: str = "", *, at: Location | None = None) -> Problem:
        place, path = at or assistant.place_of(key), f"assistants.{assistant.address}.{key}"
        return place.problem(f"{shown} {message}", path=path, hint=f"{hint}choose another target")

    known = f"it has {', '.join(sorted(capabilities.tools))}" if capabilities.tools else "it has no hosted tools"
    for index, tool in enumerate(assistant.tools):
        if (name := tool.name.value) not in capabilities.tools:
            at = tool.location or assistant.place_of("tools")
            yield problem(f"tools[{index}]", f"does not have the tool {name}", f"{known}; ", at=at)
    if assistant.functions and not capabilities.functions:
        yield problem("functions", "can't call functions")
    for setting in sorted(_settings_of(assistant) - capabilities.settings):
        yield problem(setting, f"does not take {setting}", f"remove {setting}, or ")
    if assistant.response_format is PlainFormat.JSON_OBJECT and not capabilities.json_object:
        yield problem("response_format", "does not take response_format: json_object", "give it a JSON Schema, or ")
    least = capabilities.least_output_tokens
    if assistant.max_output_tokens is not None and assistant.max_output_tokens < least:
        yield problem("max_output_tokens", f"takes {least} or more", "raise it, or ")


def _settings_of(assistant: Assistant) -> frozenset[str]:
    """The keys that not every API takes, as far as they say something."""
    said = {
        "temperature": assistant.temperature is not None,
        "top_p": assistant.top_p is not None,
        "reasoning": assistant.reasoning_effort is not None,
        "response_format": assistant.response_format is not None,
        "max_output_tokens": assistant.max_output_tokens is not None,
        "metadata": bool(assistant.metadata),
    }
    return frozenset(name for name, is_said in said.items() if is_said)


def _check_turn(turn: Turn, tools: frozenset[str], capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    """`tools` are those that both the assistant and the target have."""
    document_bytes = 0
    for file in turn.attachments:
        if file.use is not FileUse.INPUT:
            continue
        yield from _check_type(file, tools, capabilities, shown)
        if file_type(file.name) not in IMAGE_TYPES:
            yield from _check_size(file, document_bytes, capabilities, shown)
            document_bytes += file.size_bytes


def _check_type(file: LocalFile, tools: frozenset[str], capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    kind = file_type(file.name)
    if kind not in capabilities.input_types:
        taken = f"it takes {' '.join(sorted(capabilities.input_types))}; " if capabilities.input_types else ""
        yield file.location.problem(
            f"{shown} can't take a '.{kind}' file ('{file.name}') as the model's input",
            hint=f"{taken}{_find_other_use(file, tools)}, or choose another target",
        )


def _find_other_use(file: LocalFile, tools: frozenset[str]) -> str:
    others = (use for use in (FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER) if takes_file(use, file.name))
    fitting = next((use for use in others if use.value in tools), None)
    return f"use `for: {fitting.value}`" if fitting else "give the assistant a tool that takes it"


def _check_size(file: LocalFile, bytes_before: int, capabilities: Capabilities, shown: str) -> Iterator[Problem]:
    """The first file with which there is too much is the one to blame."""
    most = capabilities.input_bytes
    if most is not None and bytes_before <= most < bytes_before + file.size_bytes:
        before = " with those before it" if bytes_before else ""
        megabytes = f"{(bytes_before + file.size_bytes) / _MEGABYTE:,.1f} MB"
        yield file.location.problem(
            f"'{file.name}' has {megabytes}{before}; {shown} takes {most // _MEGABYTE} MB as the model's input",
            hint="make it smaller, or give the assistant a tool that takes it",
        )


def _show_target(target: Target) -> str:
    server = ", embedded server" if target.server is Server.EMBEDDED else ""
    history = ", history replay" if target.history is History.REPLAY else ""
    return f"target '{target.name}' (api {target.api}{server}{history})"
