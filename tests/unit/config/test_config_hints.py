"""What people write who know other tools leads to what says it here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.checks import __name__ as checks
from runner.cli import __name__ as verbs
from runner.cli import play
from runner.config import assistants_schema, familiar_words, load_configuration
from runner.config.file_schemas import scenario_schema
from runner.errors import ConfigError
from runner.plugins import plugin_names

PROJECT = "version: 1\nnamespace: demo\n"
GUIDE = "assistants: {guide: {model: m}}\n"


def hints(tmp_path: Path, *, project: str = PROJECT + GUIDE, scenario: str = "") -> list[str]:
    (tmp_path / "assistants.yaml").write_text(project, encoding="utf-8")
    paths = None
    if scenario:
        (tmp_path / "one.yaml").write_text(scenario, encoding="utf-8")
        paths = ("one.yaml",)
    with pytest.raises(ConfigError) as caught:
        load_configuration(file=None, scenario_paths=paths, cwd=tmp_path, environment={})
    return [problem.hint for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("assert", "`expect: [...]`"),
        ("vars", "`cases: rows.csv`"),
        ("prompts", "under `ask`"),
        ("providers", "`--target`"),
        ("inference", "`--target`"),
        ("expected", "as in `expect: [contains: Oslo]`"),
        ("expectedOutput", "as in `expect: [contains: Oslo]`"),
        ("expected-output", "as in `expect: [contains: Oslo]`"),
        ("input", "under `ask`"),
        ("output", "under `expect`"),
        ("question", "under `ask`"),
        ("answer", "under `expect`"),
        ("refusal", "`expect: [refuses]`"),
        ("model", "stands with the assistant, in assistants.yaml"),
        ("files", "under `attach`"),
        ("file_ids", "under `attach`"),
        ("dataset", "`cases: rows.csv`"),
        ("parametrize", "`cases: rows.csv`"),
        ("regex", "`expect: [matches: REGEX]`"),
        ("repeats", "`repeat: N`"),
        ("skipif", "`skip: REASON`"),
        ("only", "`-k EXPR`"),
        ("markers", "`tags: [WORD]`"),
        ("tool_choice", "tool_called"),
        ("messages", "`turns`"),
    ],
)
@pytest.mark.parametrize("level", ["scenario", "turn"])
def test_a_word_of_another_tool_in_a_scenario_leads_to_ours(tmp_path: Path, key: str, words: str, level: str) -> None:
    at_top, in_turn = (f"{key}: x\n", "") if level == "scenario" else ("", f"    {key}: x\n")
    scenario = f"assistant: guide\n{at_top}turns:\n  - ask: Hi\n{in_turn}    expect: [contains: Hello]\n"

    (hint,) = hints(tmp_path, scenario=scenario)

    assert words in hint


@pytest.mark.parametrize("switch", ["false", "no", "'true'", "Off", "0"])
def test_skip_is_a_reason_and_no_switch(tmp_path: Path, switch: str) -> None:
    turns = "turns:\n  - ask: Hi\n    expect: [contains: Hello]\n"

    (hint,) = hints(tmp_path, scenario=f"assistant: guide\nskip: {switch}\n{turns}")

    assert "Leave the key out to play it" in hint


@pytest.mark.parametrize("word", ["question", "input", "prompt"])
def test_another_word_for_a_key_that_must_be_there_is_one_mistake(tmp_path: Path, word: str) -> None:
    scenario = f"assistant: guide\nturns:\n  - {word}: Hi\n    expect: [contains: Hello]\n"

    assert hints(tmp_path, scenario=scenario) == ["write the question under `ask`"]
    assert hints(tmp_path, project=f"{PROJECT}assistants: {{guide: {{engine: m}}}}\n") == ["write `model`"]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("llm-rubric: be kind", "write `judge: QUESTION`"),
        ("icontains: x", "`contains: TEXT`"),
        ("not-equals: x", "write `not: {equals: ...}`"),
        ("not-regex: x", "write `not: {matches: REGEX}`"),
        ("not-starts-with: x", "write `not: {starts_with: ...}`"),
        ("not-contains: x", "did you mean 'not_contains'?"),
        ("contains-any: x", "`any_of: [contains: ONE, contains: ANOTHER]`"),
        ("'similar:cosine': x", "`similar: TEXT`"),
        ("'similar:dot': x", "no check of it"),
        ("DAGMetric: x", "`judge: QUESTION`"),
        ("PIILeakageMetric: x", "`judge: QUESTION`"),
        ("RougeScore: x", "`similar: {"),
        ("factual_correctness: x", "`factual: REFERENCE`"),
        ("GroundednessEvaluator: x", "`judge: QUESTION`"),
        ("toBeCloseTo: x", "`number: {value: 39.25"),
        ("assertIn: x", "`contains: TEXT`"),
        ("AnswerRelevancyMetric: x", "`judge: QUESTION`"),
        ("tool_correctness: x", "`tool_calls: "),
        ("'trajectory:goal-success': x", "`goal: "),
        ("is-json: true", "write `json`"),
        ("regex: x", "`matches: REGEX`"),
        ("refusal: true", "write `refuses`"),
        ("contains-any: [a, b]", "one_of"),
        ("begins-with: x", "`starts_with: TEXT`"),
        ("javascript: output", "`python: FILE.py:FUNCTION`"),
        ("approx: 3", "`number: {value: 39.25, tolerance: 0.01}`"),
        ("tool_call: [x]", "`tool_called: NAME`"),
        ("citation: x", "`cites: FILE`"),
        ("latency: 5", "`latency_s: SECONDS`"),
        ("type: contains", "`CHECK: VALUE`"),
        ("refusal", "write `refuses`"),
        ("not_contain: x", "did you mean 'not_contains'?"),
        ("not_cite: x", "did you mean 'not_cites'?"),
        ("30 days", 'write `number: {value: 30, unit: days}`, or `contains: "30 days"` for the text'),
        ("'30'", 'write `number: 30`, or `contains: "30"` for the text'),
        ("Oslo", "to look for this text, write `contains: Oslo`"),
        ("contans", "did you mean 'contains'?"),
        ("{contains: Sorry, I am here}", "a comma ends a text inside {...}: put quotes around all of it"),
    ],
)
def test_an_assertion_of_another_tool_leads_to_ours(tmp_path: Path, check: str, words: str) -> None:
    (hint,) = hints(tmp_path, scenario=f"assistant: guide\nturns:\n  - ask: Hi\n    expect:\n      - {check}\n")

    assert words in hint


def test_when_at_the_top_is_no_question_but_a_check(tmp_path: Path) -> None:
    scenario = "assistant: guide\nwhen: {target: openai}\nturns: [{ask: Hi, expect: [{contains: x}]}]\n"
    (hint,) = hints(tmp_path, scenario=scenario)
    assert "is a check, `when: {target: NAME, expect: [CHECK]}`" in hint


@pytest.mark.parametrize(
    ("model", "hint"),
    [("[gpt]", "write gpt, by itself"), ("[a, b]", "write one text"), ("{a: b}", "put quotes around the text")],
)
def test_what_is_no_text_is_told_how_to_be_one(tmp_path: Path, model: str, hint: str) -> None:
    assert hints(tmp_path, project=f"{PROJECT}assistants: {{guide: {{model: {model}}}}}\n") == [hint]


def test_an_assertion_as_promptfoo_writes_it_is_no_check(tmp_path: Path) -> None:
    scenario = "assistant: guide\nturns:\n  - ask: Hi\n    expect:\n      - type: contains\n        value: x\n"

    assert {"an item is `CHECK: VALUE`, as in `contains: Oslo`"} == set(hints(tmp_path, scenario=scenario))


def test_a_parameter_beside_its_check_is_still_sent_home(tmp_path: Path) -> None:
    scenario = "assistant: guide\nturns:\n  - ask: Hi\n    expect:\n      - number: 3\n        value: 3\n"

    assert hints(tmp_path, scenario=scenario) == ["it belongs under turns[].expect[].number"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("system_prompt: x", "`instructions`"),
        ("file_ids: [x]", "`files`"),
        ("vector_store_ids: [x]", "`files`"),
        ("tool_resources: {}", "`files`"),
        ("max_tokens: 5", "`max_output_tokens`"),
        ("reasoning_effort: low", "`reasoning: {effort: low}`"),
        ("seed: 5", "not sent"),
        ("id: asst_1", "`runner adopt ADDRESS ID|NAME`"),
        ("api_key: x", "`key_env`"),
        ("description: x", "`metadata`"),
        ("provider: x", "`targets: {NAME: {api: responses, base_url: ADDRESS}}`"),
        ("tools: [function]", "`functions`"),
        ("tools: [{type: file_search}]", "`tools: [file_search]`"),
        ("tools: [python]", "code_interpreter"),
        ("tools: [web_search_preview]", "web_search"),
        ("tools: [image_generation]", "it is not there"),
    ],
)
def test_a_word_of_another_api_in_an_assistant_leads_to_ours(tmp_path: Path, key: str, words: str) -> None:
    (hint,) = hints(tmp_path, project=f"{PROJECT}assistants:\n  guide:\n    model: m\n    {key}\n")

    assert words in hint


ENDPOINT = '{base_url: "http://127.0.0.1:8080/v1", model: qwen3}'


@pytest.mark.parametrize("written", [ENDPOINT, "ollama"])
def test_an_inference_in_the_wrong_place_is_one_message_with_the_finished_block(tmp_path: Path, written: str) -> None:
    example = ENDPOINT if written == ENDPOINT else '{base_url: "http://127.0.0.1:11434/v1", model: llama3.2}'
    block = f"local: {{api: responses, server: embedded, inference: {example}}}"
    for project in (
        f"{PROJECT}inference: {written}\n{GUIDE}",
        f"{PROJECT}assistants: {{guide: {{model: m, inference: {written}}}}}\n",
        f"{PROJECT}{GUIDE}targets: {{local: {{api: responses, inference: {ENDPOINT}}}}}\n",
        f"{PROJECT}{GUIDE}targets: {{local: {{inference: {ENDPOINT}}}}}\n",
    ):
        (hint,) = hints(tmp_path, project=project)
        wanted = block if project.count("targets") == 0 else block.replace(example, ENDPOINT)
        assert wanted in hint
        finished = f"{PROJECT}{GUIDE}target: local\ntargets: {{{wanted}}}\n"
        (tmp_path / "assistants.yaml").write_text(finished, encoding="utf-8")
        load_configuration(file=None, scenario_paths=None, cwd=tmp_path, environment={})


def test_a_word_for_an_inference_leads_to_the_forms_there_are(tmp_path: Path) -> None:
    project = f"{PROJECT}{GUIDE}targets: {{local: {{api: responses, server: embedded, inference: ollama}}}}\n"

    assert hints(tmp_path, project=project) == ["known are offline, {scripted: FILE}, {base_url: ADDRESS, model: NAME}"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("EUR 250", "write `number: {value: 250, unit: EUR}`"),
        ("250 EUR", "write `number: {value: 250, unit: EUR}`"),
        ("$39.25", 'write `number: {value: 39.25, unit: "$"}`'),
        ("€1,234.50", 'write `number: {value: 1234.50, unit: "€"}`'),
        ("39,25 EUR", "write `number: {value: 39.25, unit: EUR}`"),
        ("5%", 'write `number: {value: 5, unit: "%"}`'),
        ("-3 km", "write `number: {value: -3, unit: km}`"),
        ("{value: 250 EUR}", "write `value: 250, unit: EUR`"),
        ("1.2.3 EUR", ""),
        ("~40", "write `number: {value: 40, tolerance: 1}` for what may differ by 1"),
        ('">= 40"', "write `number: {value: 40, tolerance: 1}` for what may differ by 1"),
        ("39.25 ± 0.1", "write `number: {value: 39.25, tolerance: 0.1}`"),
        ("{value: 39.25 +/- 0.1}", "write `value: 39.25, tolerance: 0.1`"),
        ("about 5", ""),
        ("five", ""),
    ],
)
def test_an_amount_with_its_unit_is_shown_in_the_form_that_is_read(tmp_path: Path, written: str, hint: str) -> None:
    scenario = f"assistant: guide\nturns:\n  - ask: Hi\n    expect:\n      - number: {written}\n"

    assert hints(tmp_path, scenario=scenario) == [hint]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("30s", "30"), ("5 minutes", "300"), ("1.5 min", "90.0"), ("2h", "7200"), ("'30 sec'", "30")],
)
def test_a_time_with_its_unit_is_shown_in_seconds(tmp_path: Path, written: str, seconds: str) -> None:
    scenario = f"assistant: guide\ntimeout: {written}\nturns: [{{ask: Hi, expect: [contains: Hello]}}]\n"

    assert hints(tmp_path, scenario=scenario) == [f"write the seconds, as in `timeout: {seconds}`"]


@pytest.mark.parametrize(
    ("project", "hint"),
    [
        (f"{PROJECT}model: m\n{GUIDE}", "it belongs under assistants.NAME"),
        (f"{PROJECT}base_url: x\n{GUIDE}", "it belongs under targets.NAME"),
    ],
)
def test_the_place_of_a_key_is_named_with_what_is_chosen_there(tmp_path: Path, project: str, hint: str) -> None:
    assert hint in hints(tmp_path, project=project)


def test_a_question_beside_the_turns_belongs_into_them(tmp_path: Path) -> None:
    scenario = "assistant: guide\nask: Hi\nturns: [{ask: Hi, expect: [contains: Hello]}]\n"

    assert hints(tmp_path, scenario=scenario) == ["it belongs under turns"]


@pytest.mark.parametrize(
    ("check", "hint"),
    [
        ("equals: {text: a}", "write `value`"),
        ("matches: {regex: a}", "write `pattern`"),
        ("tool_called: {name: file_search}", "write `tool`"),
        ("contains:x", "write `contains: x`, with ': ' between the two"),
        ("contains some words", "write `contains: some words`, with ': ' between the two"),
    ],
)
def test_a_check_in_almost_its_form_is_one_mistake_with_the_form_that_is_meant(
    tmp_path: Path, check: str, hint: str
) -> None:
    scenario = f"assistant: guide\nturns:\n  - ask: Hi\n    expect:\n      - {check}\n"

    assert hints(tmp_path, scenario=scenario) == [hint]


def test_defaults_beside_turns_are_not_said_to_be_meant_as_themselves(tmp_path: Path) -> None:
    scenario = "assistant: guide\ndefaults: {assistant: guide}\nturns: [{ask: Hi, expect: [contains: Hello]}]\n"

    assert "beside `scenarios`" in hints(tmp_path, scenario=scenario)[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("reasoning: high", ["write `reasoning: {effort: high}`"]),
        ("response_format: {type: json_object}", ["`response_format: json_object`"]),
        ("response_format: {type: json_schema, json_schema: {name: a, schema: {type: object}}}", ["remove it"]),
        ("functions: [{type: function, function: {name: a}}]", ["remove it", "one level up"]),
        ("tools: [{type: function}]", ["under `functions`"]),
    ],
)
def test_the_apis_form_of_a_setting_leads_to_ours(tmp_path: Path, body: str, words: list[str]) -> None:
    found = hints(tmp_path, project=f"{PROJECT}assistants: {{guide: {{model: m, {body}}}}}\n")

    assert len(found) == len(words)
    assert all(word in hint for word, hint in zip(words, found, strict=True))


def test_openais_target_is_shown_as_it_is_declared(tmp_path: Path) -> None:
    (hint,) = hints(tmp_path, project=f"{PROJECT}target: openai\n{GUIDE}")

    assert hint == "declare it: `targets: {openai: {api: responses}}`"
    declared = f"{PROJECT}target: openai\ntargets: {{openai: {{api: responses}}}}\n{GUIDE}"
    (tmp_path / "assistants.yaml").write_text(declared, encoding="utf-8")
    load_configuration(file=None, scenario_paths=None, cwd=tmp_path, environment={})


def test_a_key_in_the_place_of_its_variables_name_is_not_shown(tmp_path: Path) -> None:
    key = "sk-proj-not-a-real-one-0123456789"
    project = f"{PROJECT}targets: {{mine: {{api: responses, key_env: {key}}}}}\n{GUIDE}"
    (tmp_path / "assistants.yaml").write_text(project, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_configuration(file=None, scenario_paths=None, cwd=tmp_path, environment={})

    assert key not in "".join(map(str, caught.value.problems))


def test_what_other_tools_call_a_verb_is_no_verb_of_ours_and_leads_to_one() -> None:
    ours = set(plugin_names(verbs))

    assert not ours & set(familiar_words.VERBS)
    assert set(familiar_words.VERBS.values()) <= ours


def test_no_option_of_the_table_is_one_of_ours_and_those_it_names_are() -> None:
    ours = {option for parameter in play.command.params for option in parameter.opts}

    assert not ours & set(familiar_words.PLAY_OPTIONS)
    named = {option for hint in familiar_words.PLAY_OPTIONS.values() for option in re.findall(r"`(-+[a-z-]+)", hint)}
    assert named <= ours
    assert len(named) > 5


def test_no_word_of_the_tables_is_one_of_ours() -> None:
    """A key that is accepted somewhere is never called another tool's there."""
    tables = {name: table for name, table in vars(familiar_words).items() if isinstance(table, dict)}
    scenario, assistants = scenario_schema()["$defs"], assistants_schema()
    ours = {
        "_SCENARIO_KEYS": {*scenario["single"]["properties"], *scenario["several"]["properties"]}
        | {*scenario["turn"]["properties"]},
        "_CHECKS": set(plugin_names(checks)),
        "_ASSISTANT_KEYS": {*assistants["properties"], *assistants["$defs"]["assistant"]["properties"]}
        | {*assistants["$defs"]["target"]["properties"]},
        "_TOOLS": set(assistants["$defs"]["tool"]["anyOf"][1]["properties"]),
    }
    for name, words in ours.items():
        # What stands at another level of the same file may be there: `assistants:` in a scenario, for one.
        assert words & set(tables[name]) <= {"functions", "files"}, name


@pytest.mark.parametrize(
    "word",
    "equals contains icontains contains-all contains-any starts-with regex is-json contains-json javascript python "
    "similar llm-rubric factuality model-graded-closedqa answer-relevance latency cost is-refusal rouge-n "
    "string_check text_similarity score_model label_model equals_ignore_case not-icontains levenshtein bleu word-count "
    "finish-reason is-valid-openai-tools-call".split(),
)
def test_each_assertion_and_grader_of_others_is_a_check_or_leads_to_one(word: str) -> None:
    name = familiar_words._fold(word)

    assert name in plugin_names(checks) or re.search(
        rf"`({'|'.join(plugin_names(checks))})\b", familiar_words._CHECKS[name]
    )


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("json: true", "write `- json`, by itself"),
        ("json: false", "leave it out, or write `- not: json`"),
        ("{number: 3, unit: EUR}", "write `number: {value: 3, unit: EUR}`"),
        ("{contains: Oslo, number: {value: 3}, unit: EUR}", "it belongs under turns[].expect[].number"),
    ],
)
def test_a_check_s_value_or_field_at_the_wrong_place_leads_to_how_it_is_written(
    tmp_path: Path, check: str, words: str
) -> None:
    found = hints(tmp_path, scenario=f"assistant: guide\nturns: [{{ask: x, expect: [{check}]}}]\n")
    assert words in found
