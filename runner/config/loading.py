"""Read a project and its scenarios, and say everything that is wrong with them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.config.cases import cut_templates
from runner.config.declared_assistants import read_assistants
from runner.config.declared_targets import read_default_target, read_judge, read_targets
from runner.config.familiar_words import ASSISTANTS_ADVICE, SCENARIO_ADVICE
from runner.config.file_schemas import assistants_schema, scenario_schema, single_schema
from runner.config.paths import ScenarioFile, find_project_file, find_scenario_files, show_file
from runner.config.scenarios import Declared, ScenarioNames, Templates, choose_scenarios, read_scenarios
from runner.did_you_mean import quote
from runner.domain.assistant import Assistant, Namespace, Price, Project
from runner.domain.scenario import Scenario
from runner.errors import ConfigError, NothingFound, Problem
from runner.redaction import MIN_SECRET_CHARACTERS, Redactor
from runner.yaml_text import MapNode, Node
from runner.yaml_text.coercion import Schema
from runner.yaml_text.yaml_document import Advice, Mistake, Where, YamlDocument, judge_document, read_document

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?:(env|secret):([A-Za-z_][A-Za-z0-9_]*)\}|[^}\s]{0,40}\}?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A project without mistakes. `root` is the real folder that files are confined to, `file` its assistants.yaml.

    `scenario_files` are the files that the scenarios came from, those with their cases too.
    `secrets` are the values that `${secret:NAME}` gave: to be kept out of every output. `baseline` is the report that
    plays are compared with, as the file names it, "" if it doesn't.
    """

    project: Project
    scenarios: tuple[Scenario, ...]
    root: Path
    file: Path
    secrets: frozenset[str]
    scenario_files: tuple[Path, ...] = ()
    baseline: str = ""


def load_configuration(
    *, file: Path | None, scenario_paths: Sequence[str] | None, cwd: Path, environment: Mapping[str, str]
) -> Configuration:
    """The project of `file`, or of the nearest assistants.yaml from `cwd` upwards, with the scenarios asked for.

    `scenario_paths`: None reads no scenarios, () those of `scenarios/`; files, folders and globs otherwise, a file
    with the place of a scenario if need be. Raises ConfigError with all mistakes, UsageError if a file or a place in it
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
    if loader.problems or project is None:
        raise ConfigError(tuple(loader.problems))
    scenarios = tuple(one for file, document, found in read for one in choose_scenarios(file, document, found))
    return Configuration(
        project=project,
        scenarios=scenarios,
        root=root,
        file=project_file,
        secrets=frozenset(loader.secrets),
        scenario_files=tuple(file.path for file in files),
        baseline=loader.baseline,
    )


class _Loader:
    """Reads files one after the other and keeps what they have in common: problems, secrets, scenario names."""

    def __init__(self, cwd: Path, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()
        self.baseline = ""
        self._cwd = cwd
        self._environment = environment
        self._names = ScenarioNames()

    def read_project(self, path: Path, root: Path) -> tuple[Project | None, Declared]:
        """The project, or None if its file has mistakes; and what its scenarios may refer to all the same."""
        document = self._read(path, assistants_schema(), ASSISTANTS_ADVICE)
        settings = document.value if isinstance(document.value, dict) else {}
        targets = read_targets(document, settings, root)
        default = read_default_target(document, settings)
        judge = read_judge(document, settings, targets)
        assistants = tuple(read_assistants(document, settings, root))
        self._keep_problems(document)
        declared = _declare(root, settings, assistants)
        if document.problems or not settings:
            return None, declared
        self.baseline = settings.get("baseline", "")
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

    def read_scenario_file(self, path: Path, declared: Declared) -> tuple[YamlDocument, list[Scenario]]:
        """One file, and its sound scenarios."""
        found: dict[Where, MapNode] = {}

        def cut(root: Node) -> Node:
            rest, templates = cut_templates(root)
            found.update(templates)
            return rest

        def read_case(tree: MapNode) -> YamlDocument:
            case = YamlDocument(file=document.file, folder=document.folder, root=tree)
            judge_document(case, tree, schema=single_schema(), advice=SCENARIO_ADVICE, fill=self._fill)
            return case

        document = self._read(path, scenario_schema(), SCENARIO_ADVICE, cut)
        templates = Templates(found=found, read=read_case)
        scenarios = list(read_scenarios(document, declared, self._names, templates))
        self._keep_problems(document)
        return document, scenarios

    def _read(
        self, path: Path, schema: Schema, advice: Advice, cut: Callable[[Node], Node] | None = None
    ) -> YamlDocument:
        file = show_file(path, self._cwd)
        return read_document(path, file=file, schema=schema, advice=advice, fill=self._fill, cut=cut)

    def _fill(self, document: YamlDocument) -> None:
        self.secrets |= expand_placeholders(document, self._environment)

    def _keep_problems(self, document: YamlDocument) -> None:
        # A message may quote a value that a secret was filled into.
        clean = Redactor(self.secrets).clean
        shown = (
            replace(problem, message=clean(problem.message), hint=clean(problem.hint)) for problem in document.problems
        )
        self.problems += sorted(dict.fromkeys(shown), key=lambda problem: (problem.line, problem.column))


def _declare(root: Path, settings: Mapping[str, object], assistants: tuple[Assistant, ...]) -> Declared:
    written, targets = settings.get("assistants"), settings.get("targets")
    bodies = targets if isinstance(targets, dict) else {}
    apis = {name: str(one.get("api")) if isinstance(one, dict) else "" for name, one in bodies.items()}
    return Declared(
        root=root,
        addresses=tuple(written) if isinstance(written, dict) else None,
        assistants={assistant.address: assistant for assistant in assistants},
        targets=apis if settings else None,
        has_judge="judge" in settings if settings else None,
    )


class _Refused(Exception):
    """A placeholder that has no value: message and hint."""


def expand_placeholders(document: YamlDocument, environment: Mapping[str, str]) -> frozenset[str]:
    """Fill the placeholders in a document's value; returns what `secret` gave. A refused one stays as written."""
    secrets: set[str] = set()
    document.value = _expand(document.value, (), document, environment, secrets)
    return frozenset(secrets)


def _expand(
    value: object, where: Where, document: YamlDocument, environment: Mapping[str, str], secrets: set[str]
) -> object:
    if isinstance(value, dict):
        return {key: _expand(one, (*where, key), document, environment, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [_expand(one, (*where, index), document, environment, secrets) for index, one in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        return _PLACEHOLDER.sub(lambda match: _fill(match, environment, secrets), value)
    except _Refused as error:
        message, hint = error.args
        document.report(Mistake(where=where, message=message, hint=hint))
        return value


def _fill(match: re.Match[str], environment: Mapping[str, str], secrets: set[str]) -> str:
    whole, kind, name = match[0], match[1], match[2]
    if whole == "$${":
        return "${"
    if kind is None:
        raise _Refused(
            f"{quote(whole)} is no placeholder",
            "write ${env:NAME} or ${secret:NAME}, or $${ for the text '${'",
        )
    found = environment.get(name)
    if not found:
        state = "not set" if found is None else "empty"
        raise _Refused(f"the environment variable {name} is {state}", f"set {name}, or remove {quote(whole)}")
    if kind == "secret":
        if len(found) < MIN_SECRET_CHARACTERS:
            hint = f"use a longer one, or ${{env:{name}}} if it isn't secret"
            shortness = f"fewer than {MIN_SECRET_CHARACTERS} characters, too few to keep it out of output"
            raise _Refused(f"the secret {name} has {shortness}", hint)
        secrets.add(found)
    return found
