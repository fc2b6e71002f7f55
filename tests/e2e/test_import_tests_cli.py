"""`runner import` of other tools' tests: promptfoo's configuration and OpenAI's Evals become scenarios with rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from verbs import Done, run_verb

from runner.config import load_configuration

PROJECT = "version: 1\nnamespace: tests-000001\nassistants:\n  desk: {model: gpt-6-luna}\n"


def run(folder: Path, *arguments: str, **environment: str) -> Done:
    return run_verb(*arguments, cwd=folder, environment=environment)


def write_import(folder: Path, text: str, **files: str) -> dict[str, Any]:
    """The scenario file that a configuration becomes, with its assistants."""
    (folder / "suite.yaml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    done = run(folder, "import", "suite.yaml", "--write")
    assert done.code == 0, done.err
    return read_files(folder)


def read_files(folder: Path, stem: str = "suite") -> dict[str, Any]:
    project = yaml.safe_load((folder / "assistants.yaml").read_text(encoding="utf-8"))
    found = yaml.safe_load((folder / "scenarios" / f"{stem}.yaml").read_text(encoding="utf-8"))
    return {"assistants": project["assistants"], "scenarios": found["scenarios"]}


def expect_of(scenario: Mapping[str, Any]) -> list[Any]:
    return scenario["turns"][-1].get("expect", [])


def comments(folder: Path, stem: str = "suite") -> str:
    text = (folder / "scenarios" / f"{stem}.yaml").read_text(encoding="utf-8")
    return "\n".join(line.strip() for line in text.splitlines() if line.strip().startswith("#"))


PROMPTFOO = """
description: Phrases
prompts: ['Say {{what}} in {{language}}.']
providers: [openai:chat:gpt-4.1-mini, openai:o4-mini]
tests:
  - vars: {what: hello, language: French}
    assert: [{type: icontains, value: bonjour}]
  - vars: {what: "hello, {{language}}, for ${money}", language: German}
    assert: [{type: icontains, value: "{{language}}"}]
  - vars: {what: thanks, language: Spanish}
    assert: [{type: javascript, value: "check(output)"}]
"""


def test_tests_that_differ_in_texts_alone_are_rows_of_one_scenario(tmp_path: Path) -> None:
    found = write_import(tmp_path, PROMPTFOO)

    first, second = found["scenarios"]
    assert found["assistants"] == {"phrases": {"name": "Phrases", "model": "gpt-4.1-mini"}}
    assert first["assistant"] == "phrases"
    assert first["turns"][0]["ask"] == "Say ${what} in ${language}."
    assert expect_of(first) == [{"contains": {"value": "${expected}", "words": False}}]
    rows = [json.loads(line) for line in (tmp_path / "scenarios" / first["cases"]).read_text().splitlines()]
    assert rows[0] == {"what": "hello", "language": "French", "expected": "bonjour"}
    assert rows[1]["expected"] == "German"
    assert second["turns"][0]["ask"] == "Say thanks in Spanish."
    assert second["smoke"] is True


def test_what_was_a_placeholder_elsewhere_is_text_here(tmp_path: Path) -> None:
    text = PROMPTFOO.replace("thanks", "'${thanks}'").replace("Say {{what}}", "Say {{what}}, ${you},")
    write_import(tmp_path, text)
    found = load_configuration(file=None, scenario_paths=(), cwd=tmp_path, environment={})
    assert [scenario.turns[0].ask for scenario in found.scenarios][1:] == [
        "Say hello, German, for ${money}, ${you}, in German.",
        "Say ${thanks}, ${you}, in Spanish.",
    ]


def test_what_is_imported_loads_as_it_was_meant(tmp_path: Path) -> None:
    write_import(tmp_path, PROMPTFOO)
    found = load_configuration(file=None, scenario_paths=(), cwd=tmp_path, environment={})
    asked = [scenario.turns[0].ask for scenario in found.scenarios]
    assert asked == [
        "Say hello in French.",
        "Say hello, German, for ${money} in German.",
        "Say thanks in Spanish.",
    ]


def test_descriptions_name_the_rows(tmp_path: Path) -> None:
    tests = "".join(f"  - {{description: 'case {word}', vars: {{q: {word}}}}}\n" for word in ("one", "two"))
    write_import(tmp_path, f"prompts: ['Say {{{{q}}}}']\nproviders: [openai:gpt-4.1]\ntests:\n{tests}")
    found = load_configuration(file=None, scenario_paths=(), cwd=tmp_path, environment={})
    assert [scenario.name for scenario in found.scenarios] == ["case one [case one]", "case one [case two]"]


def test_what_has_no_counterpart_is_a_comment_with_the_reason_and_counted(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(PROMPTFOO)

    done = run(tmp_path, "import", "suite.yaml")

    said = [line.strip() for line in done.out.splitlines() if line.strip().startswith("# ")]
    assert "# providers[1]: one assistant has one model; play it with another by `--model`: openai:o4-mini" in said
    assert any(line.startswith("# javascript: runner runs no code of this kind") for line in said)
    assert "2 scenarios, 3 cases; 2 parts without counterpart, each a comment in it" in done.err
    assert not (tmp_path / "assistants.yaml").exists()


ASSERTIONS = [
    ("{type: equals, value: Yes}", {"equals": {"value": "Yes", "case": True}}),
    ("{type: contains, value: a}", {"contains": {"value": "a", "words": False, "case": True}}),
    ("{type: not-contains, value: a}", {"not_contains": {"value": "a", "words": False, "case": True}}),
    ("{type: icontains-all, value: [a, b]}", {"contains": {"value": ["a", "b"], "words": False}}),
    (
        "{type: icontains-any, value: 'a, b'}",
        {"any_of": [{"contains": {"value": "a", "words": False}}, {"contains": {"value": "b", "words": False}}]},
    ),
    ("{type: regex, value: '\\d+'}", {"matches": "\\d+"}),
    ("{type: not-regex, value: '\\d+'}", {"not": {"matches": "\\d+"}}),
    ("{type: starts-with, value: A}", {"starts_with": {"value": "A", "words": False, "case": True}}),
    ("{type: is-json}", "json"),
    ("{type: is-json, value: {type: object}}", {"json_schema": {"schema": {"type": "object"}}}),
    ("{type: latency, threshold: 2500}", {"latency_s": 2.5}),
    ("{type: cost, threshold: 0.002}", {"cost": 0.002}),
    ("{type: rouge-n, value: a}", {"similar": {"value": "a", "by": "rouge_1", "threshold": 0.75}}),
    ("{type: similar, value: a}", {"judge": "Does the answer mean the same as this text? a"}),
    ("{type: word-count, value: {max: 20}}", {"length": {"max": 20}}),
    ("{type: word-count, value: {max: 20.0}}", {"length": {"max": 20}}),
    ("{type: is-refusal}", "refuses"),
    ("{type: llm-rubric, value: Is polite}", {"judge": "Is polite"}),
    ("{type: g-eval, value: ['Is it polite?', 'Is it short?']}", {"judge": ["Is it polite?", "Is it short?"]}),
    ("{type: factuality, value: It is 9.}", {"factual": "It is 9."}),
    ("{type: equals, value: {a: [1, x]}}", {"json_path": {"path": "$", "equals": {"a": [1, "x"]}}}),
    ("{type: finish-reason, value: length}", {"status": {"value": "incomplete", "code": "max_output_tokens"}}),
    ("{type: finish-reason, value: stop}", {"status": "completed"}),
    ("{type: 'trajectory:tool-used', value: lookup}", {"tool_called": "lookup"}),
    (
        "{type: icontains, value: peru, transform: 'JSON.parse(output).countries[0]'}",
        {"json_path": {"path": "$.countries[0]", "expect": {"contains": {"value": "peru", "words": False}}}},
    ),
    (
        "{type: javascript, value: \"output.includes('Yes')\"}",
        {"contains": {"value": "Yes", "words": False, "case": True}},
    ),
    ("{type: javascript, value: 'output.length < 100'}", {"length": {"max": 99, "of": "characters"}}),
    (
        "{type: javascript, value: \"return output.a[0].b === 'x';\"}",
        {"json_path": {"path": "$.a[0].b", "equals": "x"}},
    ),
    (
        "{type: javascript, value: 'JSON.parse(output).n == -2.50 && output.length <= 9'}",
        {
            "all_of": [
                {"json_path": {"path": "$.n", "equals": -2.5}},
                {"length": {"max": 9, "of": "characters"}},
            ]
        },
    ),
]


@pytest.mark.parametrize(("written", "check"), ASSERTIONS)
def test_an_assertion_of_promptfoo_is_a_check(tmp_path: Path, written: str, check: object) -> None:
    provider = "{id: 'openai:gpt-4.1', config: {functions: [{name: lookup, parameters: {type: object}}]}}"
    found = write_import(tmp_path, f"prompts: [Hello]\nproviders: [{provider}]\ntests: [{{assert: [{written}]}}]\n")
    assert expect_of(found["scenarios"][0]) == [check]
    done = run(tmp_path, "validate")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("cell", "check"),
    [
        ("contains:burger", {"contains": {"value": "burger", "words": False, "case": True}}),
        ("icontains:adios: amigo", {"contains": {"value": "adios: amigo", "words": False}}),
        ("not-contains:sorry", {"not_contains": {"value": "sorry", "words": False, "case": True}}),
        ("rouge-n(0.5):hello there", {"similar": {"value": "hello there", "by": "rouge_1", "threshold": 0.5}}),
        ("trajectory:tool-used:lookup", {"tool_called": "lookup"}),
        ("fn:output.length < 9", {"length": {"max": 8, "of": "characters"}}),
        ("is-json", "json"),
        ("answer:yes", {"equals": {"value": "answer:yes", "case": True}}),
    ],
)
def test_a_cell_has_a_type_and_a_value_or_what_to_be_equal_to(tmp_path: Path, cell: str, check: object) -> None:
    provider = "{id: 'openai:gpt-4.1', config: {functions: [{name: lookup, parameters: {type: object}}]}}"
    found = write_import(
        tmp_path,
        f"prompts: ['Hello {{{{a}}}}']\nproviders: [{provider}]\ntests: file://rows.csv\n",
        rows__csv=f"a,__expected\nx,{cell}\n",
    )
    assert expect_of(found["scenarios"][0]) == [check]


def test_where_answers_are_calls_what_is_said_of_them_is_about_calls(tmp_path: Path) -> None:
    provider = "{id: 'openai:gpt-4.1', config: {functions: [{name: weather, parameters: {type: object}}]}}"
    found = write_import(
        tmp_path,
        f"""
prompts: ["Hello {{{{a}}}}"]
providers: [{provider}]
tests:
  - vars: {{a: one}}
    assert:
      - {{type: is-json}}
      - {{type: is-valid-openai-function-call}}
      - {{type: javascript, value: output.name === 'weather'}}
      - {{type: javascript, value: "JSON.parse(output.arguments).city === 'Oslo'"}}
  - vars: {{a: two}}
    assert: [{{type: equals, value: weather, transform: output.name}}]
""",
    )
    assert [expect_of(one) for one in found["scenarios"]] == [[{"tool_called": "weather"}]] * 2
    told = comments(tmp_path)
    assert "whose arguments are JSON by themselves" in told
    assert "it is about a call: `tool_called: {tool: NAME, arguments: {...}}`" in told
    assert run(tmp_path, "validate").code == 0


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("{type: python, value: 'len(output)'}", "a check of the project's own gets other arguments"),
        ("{type: contains, value: a, transform: output.x.trim()}", "the answer is transformed first"),
        ("{type: 'trajectory:tool-used', value: absent}", "the assistant has no tool of this name"),
        ("{type: contains}", "it has no text"),
        ("{type: non-empty}", "an answer that is empty is an error here by itself"),
        ("{type: javascript, value: output.length == 4}", "runner runs no code of this kind"),
        (
            "{type: javascript, value: \"output.a == 'x' && output.b.sort()\"}",
            "runner runs no code of this kind",
        ),
        ("{type: latency}", "it has no `threshold` that is a number"),
        ("{type: select-best, value: a}", "it compares several answers"),
        ("{type: no-such-thing, value: a}", "there is no check of this kind"),
        ("{type: contains, value: '{% if x %}a{% endif %}'}", "a template with more in it than names"),
        ("{type: contains, value: a, weight: 0}", "its weight is 0"),
    ],
)
def test_an_assertion_without_counterpart_says_why(tmp_path: Path, written: str, reason: str) -> None:
    found = write_import(tmp_path, f"prompts: [Hello]\nproviders: [openai:gpt-4.1]\ntests: [{{assert: [{written}]}}]\n")

    assert found["scenarios"][0]["smoke"] is True
    assert reason in comments(tmp_path)


def test_a_set_with_a_threshold_is_a_score_and_files_that_are_named_are_read(tmp_path: Path) -> None:
    found = write_import(
        tmp_path,
        "prompts: ['{{q}}']\nproviders: [file://model.yaml]\ntests: [file://rows*.yaml]\n",
        model__yaml="{id: 'openai:chat:gpt-4.1', config: {temperature: 0.5}}\n",
        rows1__yaml="- vars: {q: one}\n  assert:\n    - type: assert-set\n      threshold: 0.5\n      assert:\n"
        "        - {type: contains, value: Hi}\n        - {type: icontains, value: hello, weight: 2}\n",
        rows2__yaml="[{vars: {q: two}, assert: [{type: is-json}]}]\n",
    )
    assert found["assistants"] == {"suite": {"name": "suite", "model": "gpt-4.1", "temperature": 0.5}}
    first, second = found["scenarios"]
    assert expect_of(first) == [
        {
            "score": {
                "threshold": 0.5,
                "of": [
                    {"expect": [{"contains": {"value": "Hi", "words": False, "case": True}}], "weight": 1},
                    {"expect": [{"contains": {"value": "hello", "words": False}}], "weight": 2},
                ],
            }
        }
    ]
    assert expect_of(second) == ["json"]
    assert run(tmp_path, "validate").code == 0


def test_a_threshold_and_weights_are_a_score(tmp_path: Path) -> None:
    found = write_import(
        tmp_path,
        "prompts: [Hello]\nproviders: [openai:gpt-4.1]\ntests:\n"
        "  - {threshold: 0.5, assert: [{type: equals, value: a, weight: 2}, {type: is-json}]}\n",
    )

    (score,) = expect_of(found["scenarios"][0])
    assert score["score"]["threshold"] == 0.5
    assert score["score"]["of"] == [
        {"expect": [{"equals": {"value": "a", "case": True}}], "weight": 2},
        {"expect": ["json"], "weight": 1},
    ]


CHAT = """[
  {"role": "system", "content": {{ persona | dump }} },
  {"role": "user", "content": "I am {{name}}."},
  {"role": "assistant", "content": "Hello!"},
  {"role": "user", "content": {{ question | dump }} }
]"""


def test_a_chat_is_turns_and_its_system_message_the_instructions(tmp_path: Path) -> None:
    found = write_import(
        tmp_path,
        "prompts: [file://chat.json]\nproviders: [openai:gpt-4.1]\n"
        "defaultTest: {vars: {persona: file://persona.txt}}\ntests: file://rows.csv\n",
        chat__json=CHAT,
        persona__txt="You are a clerk.\n",
        rows__csv="name,question,__expected\n"
        'Ann,"What, now?",contains: later\nBob,Cost?,cost(0.01)\nCy,Is it?,Yes: it is\n',
    )

    assert found["assistants"]["suite"]["instructions"] == "You are a clerk."
    assert [turn["ask"] for turn in found["scenarios"][0]["turns"]] == ["I am Ann.", "What, now?"]
    assert [expect_of(one) for one in found["scenarios"]] == [
        [{"contains": {"value": "later", "words": False, "case": True}}],
        [{"cost": 0.01}],
        [{"equals": {"value": "Yes: it is", "case": True}}],
    ]
    assert "here the assistant answers by itself: Hello!" in comments(tmp_path)


HISTORY = """[
  {"role": "system", "content": "Be brief."},
  {% for completion in _conversation %}
    {"role": "user", "content": "{{ completion.input }}"},
    {"role": "assistant", "content": "{{ completion.output }}"},
  {% endfor %}
  {"role": "user", "content": "{{ question }}"}
]"""


def test_tests_of_one_conversation_are_turns(tmp_path: Path) -> None:
    asked = [("Who?", "a"), ("Where?", "a"), ("Rain?", "b"), ("Snow?", "b")]
    tests = "".join(f"  - {{vars: {{question: '{q}'}}, metadata: {{conversationId: {c}}}}}\n" for q, c in asked)
    found = write_import(
        tmp_path,
        f"prompts: [file://chat.json]\nproviders: [openai:gpt-4.1]\ntests:\n{tests}",
        chat__json=HISTORY,
    )

    assert [[turn["ask"] for turn in one["turns"]] for one in found["scenarios"]] == [
        ["Who?", "Where?"],
        ["Rain?", "Snow?"],
    ]
    assert found["assistants"]["suite"]["instructions"] == "Be brief."
    assert run(tmp_path, "validate").code == 0


def test_files_that_a_pattern_means_are_rows(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    for name in ("one", "two"):
        (tmp_path / "articles" / f"{name}.txt").write_text(f"About {name}.\n")
    found = write_import(
        tmp_path,
        "prompts: ['Sum up: {{a}}']\nproviders: [openai:gpt-4.1]\n"
        "tests: [{vars: {a: 'file://articles/*'}, assert: [{type: not-starts-with, value: Sure}]}]\n",
    )
    assert found["scenarios"][0]["cases"] == [{"a": "About one."}, {"a": "About two."}]
    assert expect_of(found["scenarios"][0]) == [
        {"not": {"starts_with": {"value": "Sure", "words": False, "case": True}}}
    ]


def test_a_sheet_in_the_net_is_not_fetched(tmp_path: Path) -> None:
    write_import(tmp_path, "prompts: [Hello]\nproviders: [openai:gpt-4.1]\ntests: https://x.invalid/sheet.csv\n")
    assert "# tests: runner fetches nothing: https://x.invalid/sheet.csv" in comments(tmp_path)


def test_tools_of_another_vendors_form_are_functions(tmp_path: Path) -> None:
    tool = "{name: rate, description: A rate., input_schema: {type: object, properties: {to: {type: string}}}}"
    provider = f"providers: [{{id: 'anthropic:messages:claude-x', config: {{tools: [{tool}]}}}}]\n"
    found = write_import(tmp_path, f"prompts: [Hello]\n{provider}")
    assert found["assistants"]["suite"]["functions"][0]["parameters"]["properties"] == {"to": {"type": "string"}}


def test_lists_of_variables_are_combined(tmp_path: Path) -> None:
    found = write_import(
        tmp_path,
        "prompts: ['{{a}} {{b}}']\nproviders: [openai:gpt-4.1]\n"
        "tests: [{vars: {a: [x, y], b: ['1', '2'], c: [{d: 1}, {d: 2}]}}]\n",
    )
    assert found["scenarios"][0]["cases"] == [{"a": a, "b": b} for a in "xy" for b in "12"]


def test_many_rows_get_a_file_of_their_own(tmp_path: Path) -> None:
    tests = "".join(f"  - vars: {{q: 'question {n} ${{x}}'}}\n" for n in range(40))
    found = write_import(tmp_path, f"prompts: ['{{{{q}}}}']\nproviders: [openai:gpt-4.1]\ntests:\n{tests}")

    (scenario,) = found["scenarios"]
    rows = [json.loads(line) for line in (tmp_path / "scenarios" / scenario["cases"]).read_text().splitlines()]
    assert rows == [{"q": f"question {n} ${{x}}"} for n in range(40)]


def test_settings_and_functions_of_the_provider_come_along(tmp_path: Path) -> None:
    provider = (
        "providers: [{id: 'openai:chat:gpt-4.1', config: {temperature: 0.2, max_tokens: 99, seed: 4, "
        "apiKey: sk-abcdefghijklmnopqrstuvwx, functions: [{name: rate, parameters: {type: object}}]}}]\n"
    )
    found = write_import(tmp_path, f"prompts: [Hello]\n{provider}")

    assert found["assistants"]["suite"]["temperature"] == 0.2
    assert found["assistants"]["suite"]["max_output_tokens"] == 99
    assert found["assistants"]["suite"]["functions"][0]["name"] == "rate"
    text = (tmp_path / "assistants.yaml").read_text()
    assert "# seed has no counterpart here: 4" in text
    assert "abcdefghijkl" not in text


@pytest.mark.parametrize(
    "named", ["file:///etc/hostname", "file://../outside.txt", "file://ask.py", "file://nowhere.txt"]
)
def test_a_prompt_that_is_not_read_leaves_the_tests_with_a_reason(tmp_path: Path, named: str) -> None:
    (tmp_path / "outside.txt").write_text("not yours")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "ask.py").write_text("raise SystemExit('run!')")

    found = write_import(
        folder, f"prompts: ['{named}']\nproviders: [openai:gpt-4.1]\ntests: [{{assert: [{{type: is-json}}]}}]\n"
    )

    assert found["scenarios"][0]["skip"].startswith("its prompt is not here")
    assert expect_of(found["scenarios"][0]) == ["json"]
    assert "not yours" not in (folder / "scenarios" / "suite.yaml").read_text()


def test_a_prompt_with_logic_is_not_rendered_and_said_to_be_skipped(tmp_path: Path) -> None:
    found = write_import(
        tmp_path,
        "prompts: ['{% if x %}Hi{% endif %} {{q}}']\nproviders: [openai:gpt-4.1]\ntests: [{vars: {q: 'How?'}}]\n",
    )
    assert found["scenarios"][0]["skip"] == "its prompt is a template, which was not rendered: see to the question"
    assert found["scenarios"][0]["turns"][0]["ask"] == "How?"


HOSTILE = """
prompts: ["{{q}}"]
providers: [openai:gpt-4.1]
tests:
  - description: "x\\n    smoke: false"
    vars: {q: "a: b # c\\n- d\\u0007"}
    assert: [{type: contains, value: "]}\\n"}, {type: "no\\nsuch: thing", value: "\\n  - ask: injected"}]
"""


def test_texts_of_a_stranger_stay_texts(tmp_path: Path) -> None:
    found = write_import(tmp_path, HOSTILE)

    (scenario,) = found["scenarios"]
    assert scenario["name"] == "x smoke false"
    assert scenario["turns"] == [
        {"ask": "a: b # c\n- d\x07", "expect": [{"contains": {"value": "]}\n", "words": False, "case": True}}]}
    ]


def test_a_secret_that_is_known_does_not_come_along(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text("prompts: [say pa55word-of-mine]\nproviders: [openai:gpt-4.1]\n")
    done = run(tmp_path, "import", "suite.yaml", MY_TOKEN="pa55word-of-mine")
    assert "pa55word" not in done.out + done.err


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_import(tmp_path, PROMPTFOO)
    before = (tmp_path / "assistants.yaml").read_text()

    done = run(tmp_path, "import", "suite.yaml", "--write")

    assert done.code == 2
    assert "nothing was written: there is scenarios/suite.yaml, scenarios/suite-1.jsonl already" in done.err
    assert (tmp_path / "assistants.yaml").read_text() == before


def test_scenarios_can_be_for_an_assistant_that_is_declared(tmp_path: Path) -> None:
    (tmp_path / "assistants.yaml").write_text(PROJECT)
    (tmp_path / "suite.yaml").write_text(PROMPTFOO)

    done = run(tmp_path, "import", "suite.yaml", "--address", "desk", "--write")

    assert done.code == 0, done.err
    assert (tmp_path / "assistants.yaml").read_text() == PROJECT
    assert read_files(tmp_path)["scenarios"][0]["assistant"] == "desk"


def test_a_model_that_judges_is_declared_with_a_new_project_and_asked_for_in_an_old_one(tmp_path: Path) -> None:
    text = "prompts: [Hello]\nproviders: [openai:gpt-4.1]\ntests: [{assert: [{type: llm-rubric, value: Is kind}]}]\n"
    write_import(tmp_path, text)
    assert yaml.safe_load((tmp_path / "assistants.yaml").read_text())["judge"]["target"] == "openai"

    (tmp_path / "scenarios" / "suite.yaml").unlink()
    (tmp_path / "assistants.yaml").write_text(PROJECT)
    done = run(tmp_path, "import", "suite.yaml", "--address", "desk", "--write")
    assert "some of its checks ask a model: `judge` in assistants.yaml says which" in done.out


def test_yaml_that_is_broken_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text("prompts: [\n")
    done = run(tmp_path, "import", "suite.yaml")
    assert done.code == 2
    assert "suite.yaml:" in done.err


GRADERS: list[dict[str, Any]] = [
    {"type": "string_check", "name": "label", "operation": "eq", "reference": "{{ item.label }}"},
    {"type": "string_check", "name": "other", "operation": "ne", "reference": "x"},
    {"type": "string_check", "name": "part", "operation": "ilike", "reference": "ware"},
    {"type": "text_similarity", "evaluation_metric": "cosine", "pass_threshold": 0.8, "reference": "a"},
    {"type": "label_model", "labels": ["yes", "no"], "passing_labels": ["yes"], "input": [{"content": "Polite?"}]},
    {"type": "score_model", "range": [1, 7], "pass_threshold": 5, "input": [{"content": "{{ sample.output_text }}?"}]},
    {"type": "score_model", "pass_threshold": 0.6, "input": [{"content": "Good for {{ item.label }}?"}]},
    {
        "type": "text_similarity",
        "name": "near",
        "evaluation_metric": "rouge_l",
        "pass_threshold": 0.5,
        "reference": "a",
    },
]
CHECKS = [
    {"equals": {"value": "${label}", "case": True}},
    {"not": {"equals": {"value": "x", "case": True}}},
    {"contains": {"value": "ware", "words": False}},
    {"judge": "Does the answer mean the same as this text? a"},
    {"judge": [{"ask": "Polite?", "choices": ["yes", "no"], "accept": ["yes"]}]},
    {"judge": [{"ask": "(the answer)?", "levels": list("1234567"), "at_least": "5"}]},
    {"judge": [{"ask": "Good for ${label}?", "levels": ["0", "0.25", "0.5", "0.75", "1"], "at_least": "0.75"}]},
    {"similar": {"value": "a", "by": "rouge_l", "threshold": 0.5}},
]
EVAL: dict[str, Any] = {
    "id": "eval_1",
    "object": "eval",
    "name": "Tickets",
    "data_source_config": {"type": "custom", "schema": {"type": "object"}},
    "testing_criteria": [{"name": "g", "input": "{{ sample.output_text }}", **one} for one in GRADERS],
}
ROWS = [
    {"ticket": {"text": "The screen is black"}, "label": "Hardware"},
    {"ticket": {"text": "VPN"}, "label": "Software"},
]
RUN: dict[str, Any] = {
    "id": "evalrun_1",
    "object": "eval.run",
    "name": "first",
    "model": "gpt-4.1",
    "data_source": {
        "type": "responses",
        "model": "gpt-4.1",
        "sampling_params": {
            "temperature": 0.5,
            "max_completion_tokens": 200,
            "text": {"format": {"type": "json_object"}},
        },
        "input_messages": {
            "type": "template",
            "template": [
                {"role": "developer", "content": "Classify."},
                {"role": "user", "content": {"type": "input_text", "text": "{{ item.ticket.text }}"}},
            ],
        },
        "source": {"type": "file_content", "content": [{"item": row} for row in [*ROWS, ROWS[0]]]},
    },
}
ITEMS = {
    "object": "list",
    "has_more": True,
    "data": [
        {
            "object": "eval.run.output_item",
            "datasource_item": row,
            "results": [{"name": "label", "passed": True}],
            "sample": {"input": [{"role": "user", "content": f"Ticket: {row['ticket']['text']}"}], "output": []},
        }
        for row in ROWS
    ],
}
RESULTS = [{"run_id": "r", "data_source_idx": at, "item": row, "grades": {"label": 1}} for at, row in enumerate(ROWS)]


def import_evals(folder: Path, **files: object) -> Done:
    for name, value in files.items():
        is_lines = isinstance(value, list)
        text = "\n".join(json.dumps(one) for one in value) if isinstance(value, list) else json.dumps(value)
        (folder / f"{name}.{'jsonl' if is_lines else 'json'}").write_text(text, encoding="utf-8")
    names = [f"{name}.{'jsonl' if isinstance(value, list) else 'json'}" for name, value in files.items()]
    done = run(folder, "import", *names, "--write")
    assert done.code == 0, done.err
    return done


def test_an_eval_and_its_run_are_an_assistant_and_a_scenario_with_rows(tmp_path: Path) -> None:
    import_evals(tmp_path, suite=EVAL, run=RUN)

    found = read_files(tmp_path)
    (scenario,) = found["scenarios"]
    assert found["assistants"]["tickets"] == {
        "name": "Tickets",
        "model": "gpt-4.1",
        "instructions": "Classify.",
        "temperature": 0.5,
        "max_output_tokens": 200,
        "response_format": "json_object",
    }
    assert scenario["name"] == "Tickets"
    assert scenario["turns"] == [{"ask": "${ticket_text}", "expect": CHECKS}]
    assert scenario["cases"] == [{"label": row["label"], "ticket_text": row["ticket"]["text"]} for row in ROWS]  # type: ignore[index]
    assert run(tmp_path, "validate").code == 0, run(tmp_path, "validate").err


def test_output_items_say_what_was_asked(tmp_path: Path) -> None:
    import_evals(tmp_path, suite=EVAL, items=ITEMS)

    (scenario,) = read_files(tmp_path)["scenarios"]
    assert scenario["turns"][0]["ask"] == "${asked}"
    assert [row["asked"] for row in scenario["cases"]] == ["Ticket: The screen is black", "Ticket: VPN"]
    assert "its list goes on after this page" in comments(tmp_path)


def test_results_of_the_dashboard_have_rows_and_no_question(tmp_path: Path) -> None:
    import_evals(tmp_path, suite=EVAL, results=RESULTS)

    (scenario,) = read_files(tmp_path)["scenarios"]
    assert scenario["skip"] == "no file says what was asked"
    assert [row["label"] for row in scenario["cases"]] == ["Hardware", "Software"]


def test_a_column_that_looks_like_a_question_is_asked(tmp_path: Path) -> None:
    import_evals(
        tmp_path, suite=EVAL, results=[{"run_id": "r", "item": {"question": f"{n}?", "label": "a"}} for n in (1, 2)]
    )

    (scenario,) = read_files(tmp_path)["scenarios"]
    assert scenario["turns"][0]["ask"] == "${question}"
    assert "this column is a guess" in comments(tmp_path)


def test_a_run_alone_asks_and_expects_nothing(tmp_path: Path) -> None:
    import_evals(tmp_path, suite=RUN)
    assert read_files(tmp_path)["scenarios"][0]["smoke"] is True


def test_of_rows_that_are_nowhere_none_is_said_to_stay_with_openai(tmp_path: Path) -> None:
    import_evals(tmp_path, suite=EVAL, run={**RUN, "data_source": {**RUN["data_source"], "source": {}}})
    assert "stay with OpenAI" not in comments(tmp_path)


@pytest.mark.parametrize(
    ("grader", "reason"),
    [
        ({"type": "python", "source": "import os; os._exit(9)", "pass_threshold": 1}, "has no function `grade`"),
        ({"type": "python", "source": "def grade(", "pass_threshold": 1}, "has no function `grade`"),
        ({"type": "multi", "graders": {}, "calculate_output": "x"}, "this kind is for fine-tuning only"),
        (
            {"type": "string_check", "operation": "eq", "input": "{{ item.a }}", "reference": "b"},
            "other, than the answer",
        ),
        (
            {"type": "string_check", "operation": "like", "reference": "{{ sample.output_json.a }}"},
            "a part of the answer",
        ),
        ({"type": "score_model", "input": [{"role": "user", "content": "Rate"}]}, "it has no `pass_threshold`"),
    ],
)
def test_a_grader_without_counterpart_says_why(tmp_path: Path, grader: dict[str, Any], reason: str) -> None:
    whole = {"name": "g", "input": "{{ sample.output_text }}", **grader}
    import_evals(tmp_path, suite={**EVAL, "testing_criteria": [whole]}, run=RUN)
    assert reason in comments(tmp_path)


GRADE = "def grade(sample, item):\n    return 1.0 if item['ticket']['text'] in sample['output_text'] else 0.25\n"


def test_python_of_a_grader_goes_into_a_file_and_is_not_run(tmp_path: Path) -> None:
    grader = {"type": "python", "name": "has it", "source": f"import os\n\n{GRADE}", "pass_threshold": 0.5}
    done = import_evals(tmp_path, suite={**EVAL, "testing_criteria": [grader, grader]}, run=RUN)

    assert "to be read before it is played: suite_has_it.py, suite_has_it_2.py" in done.out
    (scenario,) = read_files(tmp_path)["scenarios"]
    assert expect_of(scenario) == [
        {"python": {"call": "suite_has_it.py:judge", "threshold": 0.5}},
        {"python": {"call": "suite_has_it_2.py:judge", "threshold": 0.5}},
    ]
    assert [row["ticket"] for row in scenario["cases"]] == [row["ticket"] for row in ROWS]
    assert run(tmp_path, "validate").code == 0, run(tmp_path, "validate").err
    code: dict[str, Any] = {}
    exec((tmp_path / "scenarios" / "suite_has_it.py").read_text(), code)
    turn = {"answer": "VPN is down", "steps": [{"tool": "look", "input": "{}"}], "item": scenario["cases"][1]}
    assert code["judge"](turn) == 1.0
    assert code["judge"]({**turn, "answer": "No."}) == 0.25


def test_a_field_of_an_answer_and_a_function_that_was_called_are_looked_at(tmp_path: Path) -> None:
    graders = [
        {"type": "string_check", "operation": "eq", "input": "{{ sample.output_json.kind }}", "reference": "a"},
        {
            "type": "string_check",
            "operation": "eq",
            "input": "{{ sample.output_tools[0].function.name }}",
            "reference": "lookup",
        },
    ]
    import_evals(tmp_path, suite={**EVAL, "testing_criteria": graders}, run=RUN)
    assert expect_of(read_files(tmp_path)["scenarios"][0]) == [
        {"json_path": {"path": "$.kind", "expect": [{"equals": {"value": "a", "case": True}}]}},
        {"tool_called": "lookup"},
    ]


def test_files_of_different_kinds_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(PROMPTFOO)
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    done = run(tmp_path, "import", "suite.yaml", "run.json")
    assert done.code == 2
    assert "files of different kinds" in done.err


def test_two_evals_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps({"object": "list", "data": [EVAL, {**EVAL, "name": "Other"}]}))
    done = run(tmp_path, "import", "list.json")
    assert done.code == 2
    assert "2 evals are in it (Tickets, Other)" in done.err


def test_a_question_about_an_earlier_answer_is_not_asked_with_a_hole_in_it(tmp_path: Path) -> None:
    tests = "[{vars: {q: 'Name a fruit.'}, storeOutputAs: fruit}, {vars: {q: 'Why {{fruit}}?'}}]"
    found = write_import(tmp_path, f"prompts: ['{{{{q}}}}']\nproviders: [openai:gpt-4.1]\ntests: {tests}\n")
    assert [one.get("skip", "") for one in found["scenarios"]] == [
        "",
        "it asks about an earlier answer: make both the turns of one scenario",
    ]
    assert run(tmp_path, "validate").code == 0


def test_what_the_assistant_lost_is_counted_too_and_each_option_has_its_own_reason(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        "prompts: [Hello]\nproviders: [{id: 'openai:gpt-4.1', config: {region: eu, seed: 1}}]\n"
        "tests: [{options: {timeout: 5000, transform: output.x}}]\n"
    )
    done = run(tmp_path, "import", "suite.yaml")
    assert "assistants.yaml: 2 parts without counterpart, each a comment in it" in done.err
    assert "2 parts without counterpart" in done.err.splitlines()[-1]
    assert "# options: timeout: write it as the scenario's `timeout`, in seconds: 5000" in done.out
    assert "# options: transform: answers are judged as they are: output.x" in done.out


def test_a_project_of_imported_tests_says_what_needs_a_key(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        "prompts: [Hello]\nproviders: [openai:gpt-4.1]\ntests: [{assert: [{type: llm-rubric, value: Is polite}]}]\n"
    )
    done = run(tmp_path, "init", "made", "--from", "suite.yaml")
    assert done.out.splitlines()[-1] == (
        "`cd made && runner play` plays it; some checks ask the `judge` of assistants.yaml, which needs OPENAI_API_KEY"
    )


@pytest.mark.parametrize("kept", [["eval.json"], ["items.json"], ["eval.json", "items.json"]])
def test_what_is_kept_of_an_eval_without_its_run_is_valid_and_plays(tmp_path: Path, kept: list[str]) -> None:
    graders = [
        {"type": "string_check", "name": "a", "input": "{{ sample.output_text }}", "operation": "eq", "reference": X},
        {
            "type": "text_similarity",
            "name": "b",
            "input": "{{ sample.output_text }}",
            "reference": X,
            "evaluation_metric": "fuzzy_match",
            "pass_threshold": 0.8,
        },
    ]
    sample = {"model": "gpt-4.1-mini", "input": [{"role": "user", "content": "What is 2 + 3?"}], "output": []}
    item = {"object": "eval.run.output_item", "datasource_item": {"right": "5"}, "sample": sample, "results": []}
    (tmp_path / "eval.json").write_text(json.dumps({"object": "eval", "name": "sums", "testing_criteria": graders}))
    (tmp_path / "items.json").write_text(json.dumps({"object": "list", "data": [item]}))
    done = run(tmp_path, "import", *kept, "--write")
    assert done.code == 0, done.err
    assert run(tmp_path, "validate").code == 0
    assert run(tmp_path, "play").code in (0, 1)  # nothing is asked, or the rules' answer is a longer text
    if "items.json" in kept:
        assert "model: gpt-4.1-mini" in (tmp_path / "assistants.yaml").read_text()


X = "{{ item.right }}"


def test_few_tokens_are_no_obstacle_to_playing_imported_tests_here(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        "prompts: ['What is 2 + 3?']\nproviders: [{id: 'openai:gpt-4.1', config: {max_tokens: 50}}]\n"
        "tests: [{assert: [{type: contains, value: '5'}]}]\n"
    )
    assert run(tmp_path, "init", "made", "--from", "suite.yaml").code == 0
    played = run(tmp_path / "made", "play")
    assert (played.code, "1 passed" in played.out) == (0, True), played.out + played.err
    workflow = (tmp_path / "made" / ".github" / "workflows" / "assistants.yml").read_text()
    # The project's own target, which its file has for them.
    assert 'TARGET: ""' in workflow
    assert "target: local" in (tmp_path / "made" / "assistants.yaml").read_text()


def test_a_weight_that_is_no_number_is_told_and_left_out(tmp_path: Path) -> None:
    found = write_import(
        tmp_path,
        "prompts: [Hello]\nproviders: [openai:gpt-4.1]\ntests:\n  - threshold: 0.5\n    assert:\n"
        "      - {type: contains, value: a, weight: heavy}\n      - {type: is-json, weight: 2}\n",
    )

    (score,) = expect_of(found["scenarios"][0])
    assert [one["weight"] for one in score["score"]["of"]] == [1, 2]
    assert "contains: weight: it is no number above 0: heavy" in comments(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("rows.csv", "a,__threshold\nx,most\n", "threshold: it is no number: most"),
        ("rows.csv", f"a\n{'x' * 1_100_000}\n", "tests: field larger than field limit"),
        ("rows.jsonl", '{"a": 1e9999999999999999999999}\n', "is out of range"),
        ("rows.jsonl", f'{{"a": {"[" * 100_000}{"]" * 100_000}}}\n', "tests: it is nested too deep"),
        ("rows.json", '[{"a": NaN}]\n', "tests: NaN is no number"),
    ],
)
def test_a_file_of_rows_that_can_not_be_read_is_told(tmp_path: Path, file: str, content: str, told: str) -> None:
    text = f"prompts: ['Say {{{{a}}}}']\nproviders: [openai:gpt-4.1]\ntests: file://{file}\n"
    write_import(tmp_path, text, **{file.replace(".", "__"): content})

    assert told in comments(tmp_path)


def test_evals_whose_numbers_can_not_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text('{"testing_criteria": [{"pass_threshold": 1e9999999999999999999999}]}')

    done = run(tmp_path, "import", "eval.json")

    assert (done.code, "this is not JSON that can be read" in done.err) == (2, True)


def test_a_field_of_a_list_that_is_no_place_in_it_is_nothing(tmp_path: Path) -> None:
    evaluation = {
        "object": "eval",
        "testing_criteria": [
            {
                "type": "string_check",
                "operation": "eq",
                "input": "{{ sample.output_text }}",
                "reference": "{{ item.a.² }}",
            }
        ],
    }
    results = {"run_id": "r", "item": {"question": "Which?", "a": ["x"]}}
    (tmp_path / "eval.json").write_text(json.dumps(evaluation), encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps([results]), encoding="utf-8")

    assert run(tmp_path, "import", "eval.json", "rows.json").code == 0
