from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from runner.config import load_configuration
from runner.domain.assistant import Server
from runner.domain.files import Chunking
from runner.errors import ConfigError, NothingFound, UsageError

PROJECT = "version: 1\nnamespace: demo\nassistants: {helper: {model: any, tools: [file_search]}}\n"
SCENARIO = 'assistant: helper\nsmoke: true\nturns: [{ask: "Hello?"}]\n'


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "project"
    write(root / "assistants.yaml", PROJECT)
    write(root / "scenarios" / "hello.yaml", SCENARIO)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def load(cwd: Path, *paths: str, file: Path | None = None, **environment: str):
    return load_configuration(file=file, scenario_paths=paths, cwd=cwd, environment=environment)


def mistakes(cwd: Path, *paths: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(cwd, *paths)
    return [str(problem) for problem in caught.value.problems]


def names(configuration) -> list[str]:
    return [scenario.name for scenario in configuration.scenarios]


def test_the_project_is_the_nearest_folder_upwards_with_an_assistants_file(root):
    deep = root / "scenarios" / "files"
    deep.mkdir()
    assert load(deep).file == root / "assistants.yaml"
    assert load(deep).root == root.resolve()


def test_a_file_or_its_folder_can_be_named_instead(root, tmp_path):
    assert load(tmp_path, file=Path("project/assistants.yaml")).file == root / "assistants.yaml"
    assert load(tmp_path, file=root).file == root / "assistants.yaml"


def test_without_a_project_the_message_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"no assistants.yaml in .* or above it; `runner init` makes one"):
        load(tmp_path)
    with pytest.raises(UsageError, match=r"there is no file 'other.yaml'$"):
        load(tmp_path, file=Path("other.yaml"))
    write(tmp_path / "assistants.yml", PROJECT)
    with pytest.raises(UsageError, match=r"rename assistants.yml, or use `-f assistants.yml`"):
        load(tmp_path)


def test_without_scenario_paths_none_are_read(root):
    write(root / "scenarios" / "hello.yaml", "broken: [")
    found = load_configuration(file=None, scenario_paths=None, cwd=root, environment={})
    assert found.scenarios == ()


def test_a_scenario_in_json_is_read_with_its_folder_and_other_json_is_not(root):
    write(root / "scenarios" / "more.json", '{"assistant": "helper", "smoke": true, "turns": [{"ask": "Hello?"}]}')
    write(root / "scenarios" / "files" / "prices.json", '{"turns": 3}')
    write(root / "scenarios" / "files" / "rows.json", '[{"assistant": 1, "turns": 2, "ask": 3}]')
    assert names(load(root)) == names(load(root, "scenarios")) == ["hello", "more"]


def test_files_folders_and_globs_are_read_each_file_once_and_in_order(root):
    write(root / "scenarios" / "b" / "two.yml", SCENARIO)
    write(root / "scenarios" / "a.yaml", SCENARIO)
    write(root / "scenarios" / ".hidden" / "no.yaml", "broken: [")
    (root / "scenarios" / "again.yaml").symlink_to(root / "scenarios" / "a.yaml")
    assert names(load(root)) == ["a", "hello", "two"]
    assert names(load(root, "scenarios/b", "scenarios/*.yaml")) == ["two", "a", "hello"]
    assert names(load(root / "scenarios", "hello.yaml", "../scenarios/hello.yaml")) == ["hello"]


def test_a_glob_or_folder_without_scenarios_is_nothing_found(root, tmp_path):
    (root / "empty").mkdir()
    with pytest.raises(NothingFound, match=r"no scenario file matches 'scenarios/\*.yml'"):
        load(root, "scenarios/*.yml")
    with pytest.raises(NothingFound, match=r"there is no scenario file .* in 'empty'"):
        load(root, "empty")
    (root / "scenarios" / "hello.yaml").unlink()
    (root / "scenarios").rmdir()
    with pytest.raises(NothingFound, match="there is no folder scenarios/ yet; write a scenario there"):
        load(root)


def test_a_named_path_that_is_missing_is_wrong_usage(root):
    with pytest.raises(
        UsageError, match=r"no file or folder 'scenarios/helo.yaml'; did you mean 'scenarios/hello.yaml'\?"
    ):
        load(root, "scenarios/helo.yaml")


def test_files_are_named_from_where_the_user_stands(root):
    write(root / "scenarios" / "hello.yaml", "assistant: nobody\nsmoke: true\nturns: [{ask: a}]\n")
    assert mistakes(root)[0].startswith("scenarios/hello.yaml:1:12: ")
    assert mistakes(root / "scenarios", "hello.yaml")[0].startswith("hello.yaml:1:12: ")


def test_a_secret_is_filled_in_and_handed_over_for_redaction(root):
    write(root / "scenarios" / "hello.yaml", SCENARIO.replace("Hello?", "${secret:CODE} ${env:PLAIN}"))
    found = load(root, CODE="12345678", PLAIN="${secret:CODE}\n- not: yaml")
    assert found.scenarios[0].turns[0].ask == "12345678 ${secret:CODE}\n- not: yaml"
    assert found.secrets == {"12345678"}


def test_a_mistake_never_shows_a_secret(root):
    write(root / "scenarios" / "hello.yaml", SCENARIO.replace("helper", "${secret:CODE}"))
    with pytest.raises(ConfigError) as caught:
        load(root, CODE="swordfish-9")
    assert "unknown assistant '[redacted]'" in str(caught.value)


def test_a_key_is_never_filled_in(root):
    write(root / "assistants.yaml", PROJECT.replace("model: any", 'model: any, metadata: {"${env:KEY}": x}'))
    assert load(root).project.assistants[0].metadata == {"${env:KEY}": "x"}


def test_numbers_keep_the_decimals_that_were_written(root):
    write(root / "scenarios" / "hello.yaml", "assistant: helper\nturns: [{ask: a, expect: [number: 331.3100]}]\n")
    (expectation,) = load(root).scenarios[0].turns[0].expectations
    assert str(expectation.parameters["value"]) == "331.3100"
    assert isinstance(expectation.parameters["value"], Decimal)


def test_the_embedded_target_is_built_in_and_the_default(root):
    project = load(root).project
    assert project.default_target == "embedded"
    assert project.targets["embedded"].server is Server.EMBEDDED


def attach(root: Path, path: str) -> list[str]:
    write(
        root / "scenarios" / "hello.yaml", f'assistant: helper\nsmoke: true\nturns: [{{ask: a, attach: ["{path}"]}}]\n'
    )
    try:
        load(root)
    except ConfigError as error:
        return [str(problem).partition("turns[0].attach[0]: ")[2] for problem in error.problems]
    return []


def test_a_link_out_of_the_project_is_refused_whatever_leads_there(root, tmp_path):
    write(tmp_path / "outside" / "secret.txt", "secret")
    (root / "scenarios" / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "scenarios" / "folder").symlink_to(tmp_path / "outside")
    refused = "is a link that leads out of the project; copy the file into it"
    assert attach(root, "link.txt") == [f"'link.txt' {refused}"]
    assert attach(root, "folder/secret.txt") == [f"'folder/secret.txt' {refused}"]
    assert attach(root, "../../outside/secret.txt") == [
        "'../../outside/secret.txt' leads out of the project; copy the file into it"
    ]


def test_a_link_inside_the_project_and_an_upper_case_extension_are_fine(root):
    write(root / "knowledge" / "rules.PDF", "x")
    (root / "scenarios" / "link.PDF").symlink_to(root / "knowledge" / "rules.PDF")
    assert attach(root, "link.PDF") == []
    (file,) = load(root).scenarios[0].turns[0].attachments
    assert (file.name, file.path) == ("link.PDF", (root / "knowledge" / "rules.PDF").resolve())


def test_the_project_may_itself_be_reached_through_a_link(root, tmp_path):
    write(root / "scenarios" / "notes.txt", "x")
    (tmp_path / "alias").symlink_to(root)
    attach(root, "notes.txt")
    assert load(tmp_path / "alias").scenarios[0].turns[0].attachments


def test_what_is_no_regular_file_is_refused_at_once(root):
    os.mkfifo(root / "scenarios" / "pipe.txt")
    (root / "scenarios" / "loop.txt").symlink_to("loop.txt")
    (root / "scenarios" / "gone.txt").symlink_to("nowhere.txt")
    assert attach(root, "pipe.txt") == ["'pipe.txt' is a device, pipe or socket, not a file"]
    assert attach(root, "loop.txt") == ["'loop.txt' can't be read: Too many levels of symbolic links"]
    assert attach(root, "gone.txt")[0].startswith("there is no file 'gone.txt'")


def test_a_file_above_the_limit_is_refused_with_the_limit(root):
    with (root / "scenarios" / "big.txt").open("wb") as file:
        file.truncate(512 * 1024 * 1024 + 200_000)
    assert attach(root, "big.txt") == ["'big.txt' has 512.2 MB; the API takes at most 512 MB"]


def test_a_path_with_a_nul_is_refused(root):
    assert "holds characters that can't be printed" in attach(root, "a\\0.txt")[0]


def test_one_path_named_by_itself_has_the_say_over_a_glob(root):
    write(root / "knowledge" / "a.json", "{}")
    files = "files: ['knowledge/*', {file: knowledge/a.json, for: code_interpreter}]"
    tools = f"tools: [file_search, code_interpreter], {files}"
    write(root / "assistants.yaml", PROJECT.replace("tools: [file_search]", tools))
    (file,) = load(root).project.assistants[0].files
    assert file.use.value == "code_interpreter"


def test_a_glob_may_say_how_its_files_are_cut_up_and_a_path_by_itself_has_the_say(root):
    (root / "rules.md").write_text("Noon.")
    (root / "meals.md").write_text("Seven.")
    write(
        root / "assistants.yaml",
        "version: 1\nnamespace: n\nassistants:\n  helper:\n    model: m\n    tools: [file_search]\n    files:\n"
        "      - {file: '*.md', chunking: {max_tokens: 401}}\n      - meals.md\n",
    )
    (helper,) = load(root).project.assistants
    chunking = {file.name: file.chunking for file in helper.files}
    assert chunking == {"rules.md": Chunking(max_tokens=401, overlap_tokens=200), "meals.md": None}


def test_instructions_from_a_file_are_confined_checked_and_trimmed(root):
    body = PROJECT.replace("model: any", "model: any, instructions_file: prompt.txt")
    write(root / "assistants.yaml", body)
    write(root / "prompt.txt", "Be brief. ${env:NOT_FILLED_IN}\n")
    assert load(root).project.assistants[0].instructions == "Be brief. ${env:NOT_FILLED_IN}"
    write(root / "prompt.txt", " \n")
    assert "'prompt.txt' is empty" in mistakes(root)[0]
    write(root / "prompt.txt", "x" * 256_001)
    assert "'prompt.txt' has 256,001 characters; at most 256,000 are accepted" in mistakes(root)[0]
    (root / "prompt.txt").write_bytes(b"one\ncaf\xe9")
    assert "'prompt.txt', line 2: the byte 0xE9 is not UTF-8 text; save the file as UTF-8" in mistakes(root)[0]


def test_names_from_two_forms_of_one_character_are_one_name(root):
    write(root / "scenarios" / "caf\u00e9.yaml", SCENARIO)
    write(root / "scenarios" / "cafe\u0301.yaml", SCENARIO)
    assert "is also used in scenarios/" in mistakes(root)[0]


def test_a_scenario_file_that_is_a_fifo_is_a_mistake_not_a_wait(root):
    os.mkfifo(root / "scenarios" / "pipe.yaml")
    assert mistakes(root) == [
        "scenarios/pipe.yaml:1:1: this is a device, pipe or socket, not a file; name a file of text"
    ]


def test_each_target_has_the_key_that_belongs_to_its_host(root):
    targets = {
        "openai": "{api: responses}",
        "mine": "{api: responses, key_env: MY_KEY}",
        "europe": "{api: responses, base_url: 'https://eu.api.openai.com/v1'}",
        "azure": "{api: responses, base_url: 'https://a.openai.azure.com/openai/v1', key_env: AZURE_KEY}",
        "local": "{api: responses, base_url: 'http://127.0.0.1:11434/v1'}",
        "lan": "{api: responses, base_url: 'http://10.0.0.7:8000/v1'}",
        "brain": "{api: responses, server: embedded, inference: {base_url: 'https://models.example/v1', key_env: B}}",
    }
    lines = "".join(f"  {name}: {body}\n" for name, body in targets.items())
    write(root / "assistants.yaml", f"{PROJECT}targets:\n{lines}")
    found = load(root).project.targets
    assert {name: found[name].key_variable for name in targets} == {
        "openai": "OPENAI_API_KEY",
        "mine": "MY_KEY",
        "europe": "OPENAI_API_KEY",
        "azure": "AZURE_KEY",
        "local": None,
        "lan": None,
        "brain": None,
    }
    assert found["brain"].inference.key_variable == "B"
