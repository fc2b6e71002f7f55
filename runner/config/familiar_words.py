"""What people write who know other tools, and what says it here: before a guess by spelling, which leads to nonsense.

promptfoo's keys and assertions, pytest's words, the Assistants API's and those of the usual frameworks. A hint is true
for what works today: who adds a key, a check or a tool looks through these tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from runner.checks._packages import load_check
from runner.config.declared_targets import show_embedded_target, show_inference
from runner.config.expectations import CHECKS, advise_on_switch
from runner.did_you_mean import find_similar
from runner.plugins import plugin_names
from runner.yaml_text.yaml_document import Advice, Where, show_flow

_CHECKS_ARE_LISTED = "write `expect: [...]`, a list of checks, under the question"
_A_MODEL_JUDGES = "write `judge: QUESTION`; the model that judges is declared in assistants.yaml"
_NO_CODE = "a Python function of yours can be a check: `python: FILE.py:FUNCTION`"
_WITH_THE_ASSISTANT = "it stands with the assistant, in assistants.yaml"
_CASES = "write `cases: rows.csv`, or the rows, and `${COLUMN}` in questions and expectations"
_REFUSED = "a refusal that is expected is a check: `expect: [refuses]`"
_UNDER_ASK = "write the question under `ask`"
_UNDER_ATTACH = "files that come with a question stand under `attach` of its turn"
_ANSWER = "say what the answer must have under `expect`, as in `expect: [contains: Oslo]`"
_NOT_SENT = "it is not sent; remove it"

Table = Mapping[str, str]


def _table(*rows: tuple[str, str]) -> Table:
    return {word: hint for words, hint in rows for word in words.split()}


_SCENARIO_KEYS = _table(
    (
        "assert asserts assertion assertions checks criteria expectations expects grader graders evaluators "
        "testing_criteria judge judges then should",
        _CHECKS_ARE_LISTED,
    ),
    (
        "expected expected_output expected_outputs expected_answer ideal reference reference_answer "
        "ground_truth answer "
        "answers output outputs response responses completion result",
        _ANSWER,
    ),
    (
        "input inputs question questions query queries user user_input user_message prompt prompts text content say "
        "utterance request given",
        _UNDER_ASK,
    ),
    (
        "when if",
        "a question stands under `ask`; what is expected on some targets only is a check, `when: {target: NAME, "
        "expect: [CHECK]}`",
    ),
    (
        "message messages conversation dialog dialogue steps step thread turn chat history",
        "each question is an item of `turns`, with its text under `ask`",
    ),
    ("role", "turns are the user's questions; what the assistant says is held to `expect`"),
    (
        "files file file_ids file_id attachment attachments attached images image documents document upload uploads",
        _UNDER_ATTACH,
    ),
    (
        "model models instructions instruction system system_prompt system_message temperature top_p reasoning "
        "reasoning_effort response_format max_tokens max_output_tokens tools tool_resources knowledge",
        _WITH_THE_ASSISTANT,
    ),
    ("assistant_id agent agents bot", "write `assistant: ADDRESS`, as assistants.yaml declares it"),
    (
        "provider providers target targets inference sandbox api base_url server environment env",
        "where to run is a target: `targets` in assistants.yaml, chosen with `--target`",
    ),
    ("refusal refusals refuses refused refuse is_refusal", _REFUSED),
    (
        "case rows examples example dataset data data_file datasets csv table parametrize params "
        "parameters matrix "
        "foreach for_each with_items",
        _CASES,
    ),
    ("vars var variables variable values", _CASES),
    ("tests test suite", "write `scenarios`, a list, or one file for each"),
    ("title id label", "write `name`"),
    ("repeats retry retries reruns runs trials times iterations flaky num_runs count", "`repeat: N` plays it so often"),
    ("skipif xfail disabled enabled ignore", "`skip: REASON` leaves it out"),
    ("only focus", "choose when playing: `-k EXPR` by name, `-m EXPR` by tag"),
    ("mark marks marker markers labels groups category categories", "write `tags: [WORD]`, and choose with `-m WORD`"),
    (
        "fixture fixtures setup teardown before after before_all after_all hooks",
        "each scenario has a thread of its own, so there is nothing to set up or to clean",
    ),
    ("deadline max_time max_duration timeout_s timeout_ms timeout_seconds time_limit", "write `timeout`, in seconds"),
    (
        "threshold weight metric score min_score",
        "write it under `expect`, as in `expect: [score: {threshold: 0.7, of: [{expect: CHECK}]}]`",
    ),
    ("mock mocks stub stubs", "write `functions: {NAME: {returns: VALUE}}`"),
    ("tool_choice parallel_tool_calls", "it can't be set; expect the call: `expect: [tool_called: NAME]`"),
    ("default default_test defaulttest common shared", "write `defaults`, beside `scenarios`"),
    ("version namespace assistants", "it stands in assistants.yaml"),
    ("must contain include includes", "write it under `expect`, as in `expect: [contains: Oslo]`"),
    ("regex regexp pattern", "write it under `expect`, as in `expect: [matches: REGEX]`"),
)

_CHECKS = _table(
    (
        "type kind assert name value check metric transform provider",
        "an item is `CHECK: VALUE`, as in `contains: Oslo`",
    ),
    ("threshold weight", "write `score: {threshold: 0.7, of: [{weight: 2, expect: CHECK}]}`"),
    ("regex regexp match pattern re fullmatch like pattern_match regex_match to_match", "write `matches: REGEX`"),
    (
        "icontains ilike contains_text includes include in has substring contain text mentions string_presence "
        "list_contains body_contains to_contain assert_in",
        "write `contains: TEXT`; upper and lower case make no difference",
    ),
    (
        "contains_all icontains_all includes_all all",
        "write `contains: [ONE, ANOTHER]`: all of them must be there",
    ),
    (
        "contains_any icontains_any any includes_any",
        "write `any_of: [contains: ONE, contains: ANOTHER]`; `one_of` with `inside: true` takes exactly one",
    ),
    ("oneof enum choices options", "write `one_of: {values: [ONE, ANOTHER], inside: true}`"),
    ("anyof or either", "write `any_of: [CHECK, CHECK]`"),
    ("allof and every assert_set", "write `all_of: [CHECK, CHECK]`; `score` has weights and a threshold"),
    ("multi", "write `score: {threshold: 0.7, of: [{weight: 2, expect: CHECK}]}`"),
    ("none none_of neither nor", "write `not: [CHECK, CHECK]`"),
    ("if only only_on unless", "write `when: {target: NAME, expect: [CHECK]}`"),
    (
        "not_icontains not_contains_any not_icontains_any excludes exclude not_in not_includes does_not_contain "
        "doesnt_contain contains_not without",
        "write `not_contains: TEXT`",
    ),
    (
        "equal eq is exact exact_match exactly string_check assert_equal assertequal ideal expected answer output "
        "equals_expected to_be to_equal",
        "write `equals: TEXT` for all of the answer, `contains: TEXT` for a part of it",
    ),
    (
        "iequals equals_ignore_case equals_ignorecase equal_ignore_case",
        "write `equals: TEXT`; upper and lower case make no difference by default",
    ),
    ("ne neq", "write `not: {equals: TEXT}`"),
    ("startswith prefix begins_with", "write `starts_with: TEXT`"),
    ("ends_with endswith suffix", "write `matches: TEXT$`"),
    (
        "approx isclose close_to between min max range greater_than less_than gt lt gte lte amount value_is "
        "numeric float numeric_diff "
        "int integer decimal to_be_close_to",
        "write `number: {value: 39.25, tolerance: 0.01}`",
    ),
    (
        "llm_rubric model_graded_closedqa model_graded g_eval geval rubric llm_judge "
        "llm_as_judge llm_as_a_judge answer_relevance context_recall context_relevance context_faithfulness "
        "faithfulness select_best max_score classifier score_model label_model pi "
        "conversation_relevance criteria moderation guardrails toxicity sentiment hallucination semantic "
        "meaning search_rubric agent_rubric answer_relevancy contextual_precision contextual_recall "
        "contextual_relevancy context_precision bias summarization prompt_alignment role_adherence knowledge_retention "
        "conversation_relevancy "
        "turn_relevancy answer_correctness aspect_critic noise_sensitivity rubrics_score dag closed_qa humor security "
        "battle misuse non_advice pii_leakage role_violation llmjudge model_graded_qa closedqa qa cot_qa context_qa "
        "labeled_criteria topic_adherence simple_criteria discrete relevance coherence fluency groundedness "
        "intent_resolution task_adherence response_completeness content_safety violence indirect_attack",
        _A_MODEL_JUDGES,
    ),
    (
        "model_graded_factuality model_graded_fact factuality factual_correctness fact correctness",
        "write `factual: REFERENCE`",
    ),
    (
        "conversation_completeness task_completion goal_accuracy agent_goal_accuracy trajectory:goal_success",
        "write `goal: WHAT IS WANTED`",
    ),
    (
        "bleu rouge rouge_n rouge_l meteor levenshtein gleu edit_distance similarity text_similarity fuzzy fuzzy_match "
        "closeness non_llm_string_similarity string_similarity string_distance levenshtein_distance f1",
        "write `similar: {value: TEXT, by: bleu, threshold: 0.5}`; `by` may also be fuzzy_match, levenshtein, gleu, "
        "meteor, rouge_1 to rouge_5, rouge_l",
    ),
    (
        "perplexity embedding cosine similar:dot similar:euclidean semantic_similarity answer_similarity "
        "embedding_similarity embedding_distance",
        "there is no check of it; say what the answer must have, or write `similar: TEXT` for the same words",
    ),
    ("javascript ruby exec webhook function script code js py", _NO_CODE),
    (
        "is_json contains_json is_valid_json valid_json json_valid",
        "write `json`; `json: alone` accepts no prose around it, `json_schema: SCHEMA` holds it to a schema",
    ),
    (
        "jsonschema schema matches_schema json_matches json_correctness json_validity is_instance",
        "write `json_schema: {schema: SCHEMA}`",
    ),
    (
        "jsonpath jmespath json_field json_value json_key json_diff json_equality json_edit_distance",
        "write `json_path: {path: $.total, equals: 39.25}`",
    ),
    (
        "is_xml contains_xml is_html contains_html is_sql contains_sql is_yaml is_markdown",
        "there is no check of that format; write `matches: REGEX`, or a check of your own",
    ),
    (
        "latency duration max_latency response_time time latency_ms elapsed max_duration trace_span_duration",
        "write `latency_s: SECONDS`",
    ),
    ("price total_cost max_cost cost_usd budget spend", "write `cost: US_DOLLARS`"),
    ("max_tokens token_count token_usage usage total_tokens", "write `tokens: {max: 2000, of: output}`"),
    ("refusal refused refuse is_refusal decline declines rejects", "write `refuses`, by itself"),
    (
        "finish finish_reason stop_reason completed incomplete error raises",
        "write `status: {value: incomplete, code: max_output_tokens}`; an answer that is not complete is an error by "
        "itself",
    ),
    ("not_is_refusal", "it needs no check: a refusal where an answer was expected fails by itself"),
    (
        "max_length min_length word_count words char_count character_count sentence_count max_words min_words "
        "to_have_length",
        "write `length: {max: 50, of: words}`; `of` may also be characters or sentences",
    ),
    ("lang locale is_language detect_language language_is", "write `language: de`, with the two letters of ISO 639-1"),
    (
        "trajectory:step_count step_count tool_call_count num_tool_calls max_steps max_tool_calls",
        "write `steps: {max: 3}`",
    ),
    (
        "tool tools tool_call calls called uses_tool used_tool uses function_call function_called "
        "function_calls is_valid_openai_tools_call is_valid_openai_function_call is_valid_function_call "
        "trajectory:tool_used trajectory trace_span_count trace_error_spans skill_used has_matching_span mcp_use",
        "write `tool_called: NAME`",
    ),
    (
        "tool_call_f1 trajectory:tool_sequence trajectory:tool_args_match tool_correctness argument_correctness "
        "trajectory_match tool_call_accuracy tool_sequence",
        "write `tool_calls: [{tool: NAME, arguments: {KEY: VALUE}}]`; its `mode` says in which order",
    ),
    ("not_called no_tool no_tools tool_unused", "write `tool_not_called: NAME`"),
    ("citation citations cite cited source sources references file_citation annotations quotes", "write `cites: FILE`"),
    ("file files attachment", "write `cites: FILE` for a citation in the answer; files to send stand under `attach`"),
)

_ASSISTANT_KEYS = _table(
    (
        "prompt prompts system system_prompt system_message developer role persona",
        "write `instructions`, or `instructions_file` for a text file",
    ),
    (
        "file_ids file_id vector_store vector_stores vector_store_id vector_store_ids tool_resources knowledge "
        "knowledge_base documents document attachments attach corpus resources data",
        "write `files`, with paths; runner uploads them and makes the vector store",
    ),
    ("max_tokens max_completion_tokens max_prompt_tokens max_new_tokens token_limit", "write `max_output_tokens`"),
    ("reasoning_effort effort thinking", "write `reasoning: {effort: low}`"),
    (
        "verbosity seed stop n stream top_k presence_penalty frequency_penalty logprobs user store "
        "parallel_tool_calls tool_choice max_tool_calls model_settings service_tier",
        _NOT_SENT,
    ),
    ("description title label", "write `name`; notes of your own go under `metadata`"),
    (
        "id assistant_id agent_id",
        "the address above it is what it is called here; `runner adopt ADDRESS ID|NAME` takes over one that exists",
    ),
    ("engine deployment deployment_name deployment_id model_name", "write `model`"),
    ("function function_call function_calls actions plugins skills", "write `functions`, a list"),
    (
        "provider providers endpoint url host base_uri api_base api_url",
        "where to run is a target: `targets: {NAME: {api: responses, base_url: ADDRESS}}`",
    ),
    (
        "api_key apikey key token secret openai_api_key credentials",
        "keys stay out of the file: a target's `key_env` names the environment variable that holds it",
    ),
    ("organization organisation org project organization_id project_id", "the account is the key's; remove it"),
    (
        "scenario scenarios turns tests test cases expect assert checks",
        "scenarios stand in files of their own: scenarios/NAME.yaml",
    ),
    ("assistant agents agent bots bot", "write `assistants: {ADDRESS: {model: NAME}}`"),
    ("prefix tag owner workspace", "write `namespace`"),
    ("default_target environment env environments profiles", "write `target: NAME`, and declare it under `targets`"),
    ("retention expires_after expiry ttl", _NOT_SENT),
    (
        "json json_mode json_schema output_format output_schema output_type text format structured_output",
        "write `response_format: {json_schema: {name: NAME, schema: {...}}}`",
    ),
    (
        "chunk_size chunk_overlap chunking_strategy max_chunk_size_tokens chunk_overlap_tokens",
        "write `chunking: {max_tokens: 800}` beside the file, as in `files: [{file: PATH, chunking: "
        "{max_tokens: 800}}]`",
    ),
    ("script moves", "write `inference: {scripted: FILE}` in a target with `server: embedded`"),
    ("ollama vllm llama_cpp llamacpp lmstudio litellm azure", "a target's `base_url` says where it is"),
)

_TOOLS = _table(
    ("type name tool", "write the tool's name by itself, as in `tools: [file_search]`"),
    ("function functions custom", "functions stand under `functions` of the assistant"),
    ("code python interpreter code_execution python_interpreter sandbox", "write code_interpreter"),
    ("search files file documents knowledge rag vector_store file_retrieval semantic_search", "write file_search"),
    ("web browser web_browser browsing internet web_search_preview bing bing_grounding google", "write web_search"),
    ("connector connectors mcp_server", "write `mcp: {server_label: NAME, server_url: ADDRESS}`"),
    (
        "image_generation dalle computer computer_use computer_use_preview local_shell shell apply_patch canvas",
        "it is not there; there are code_interpreter, file_search, web_search and mcp",
    ),
)

PLAY_OPTIONS = _table(
    ("--repeats --retries --reruns --count --runs", "`--repeat N` plays each scenario so often"),
    (
        "--junit --junitxml --junit-xml --xml --json --html --csv --markdown --output --out -o --reporter --reporters",
        "reports are written with `--report KIND[=FILE]`",
    ),
    (
        "--filter --grep --name --test --only --match --pattern --expression --filter-pattern --test-name",
        "`-k EXPR` chooses by name, `FILE::NAME` and `FILE:LINE` name one scenario",
    ),
    ("--tags --mark --marker --markers --label --labels --group --include", "`-m EXPR` chooses by tag"),
    (
        "--workers --worker --parallel --concurrency --max-concurrency -j --numprocesses --threads --processes",
        "`-n N` plays so many scenarios at once",
    ),
    (
        "--bail --exitfirst --maxfail --stop-on-failure --stop --fail-early",
        "`-x` stops at the first that does not pass",
    ),
    ("--config -c --project --manifest --assistants", "`-f FILE` names the project's file"),
    ("--provider --providers --env --environment --profile --backend --api --base-url", "`-t NAME` chooses a target"),
    ("--rerun-failed --only-failed --failed", "`--lf` plays what did not pass the last time"),
    ("--timeout --deadline", "`timeout` stands in the scenario, or under `defaults`"),
    (
        "--dry-run --collect-only --check-only --lint",
        "`--list` shows what would be played, `runner plan` what sync would do, `runner validate` checks the files",
    ),
    ("--silent", "`-q` shows only what did not pass"),
    ("--api-key --key --openai-api-key", "keys come from the environment: a target's `key_env` names the variable"),
    ("--assistant --assistant-id --agent", "scenarios say which assistant they talk to: `assistant: ADDRESS`"),
    ("--prompt --prompts --ask --question --vars --var", "questions stand in scenario files, under `ask`"),
)
"""Options of the commands by which other tools play."""

_PLAN_SHOWS = "`runner plan` shows what sync would do"
_OTHER_OPTIONS: Mapping[str, Table] = {
    "play": PLAY_OPTIONS,
    "sync": _table(
        ("--dry-run --plan --diff --preview --what-if --noop -n", _PLAN_SHOWS),
        ("--delete --remove", "`--prune` deletes what the file no longer declares"),
        (
            "--yes -y --auto-approve --force",
            "sync asks nothing; what it must not do stops it with exit code 4",
        ),
    ),
    "plan": _table(
        ("--check --detailed-exitcode --fail", "`--exit-code` makes it exit with 6 if changes are pending"),
        ("--json --output -o", "`--format` chooses how it is written"),
    ),
}
VERBS = _table(
    ("test eval evaluate run exec start", "play"),
    ("apply deploy push up update create provision", "sync"),
    ("diff preview status", "plan"),
    ("check lint verify", "validate"),
    ("ls show get", "list"),
    ("delete rm remove down teardown", "destroy"),
    ("gc prune cleanup", "clean"),
    ("server listen", "serve"),
    ("new bootstrap scaffold quickstart setup", "init"),
    ("explain describe doc docs assertions asserts evaluators graders", "checks"),
)
"""What other tools call our verbs."""


def explain_option(verb: str | None, option: str) -> str:
    """What says here what another tool's option of this verb says there; "" if it is not known."""
    return _OTHER_OPTIONS.get(verb or "", {}).get(option, "")


_ONE_LETTER_OFF = 0.85
_MAIN_FIELDS = frozenset("text texts string substring expected ideal answer is equals regex name".split())
_ROUGHLY = re.compile(r"(?P<sign>[~≈<>≤≥=]{1,2})\s*(?P<number>[-+]?\d+(?:\.\d+)?)")
_WITH_TOLERANCE = re.compile(r"(?P<number>[-+]?\d+(?:\.\d+)?)\s*(?:±|\+/?-)\s*(?P<tolerance>\d+(?:\.\d+)?)")
_AMOUNT = re.compile(r"(?P<before>[^\d\s.,+-]{0,12})\s*(?P<number>[-+]?\d[\d.,]*)\s*(?P<after>[^\d\s.,]{0,12})")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d{1,2}")
_DURATION = re.compile(
    r"(?P<number>\d{1,6}(?:\.\d{1,3})?)\s*(?P<unit>s|sec|secs|seconds?|m|mins?|minutes?|h|hours?)", re.I
)
_SECONDS = {"s": 1, "se": 1, "m": 60, "mi": 60, "h": 3600, "ho": 3600}
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")


def _fold(word: str) -> str:
    """`expectedOutput`, `expected-output` and `Expected output` are one word."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word.strip())
    return re.sub(r"[\s-]+", "_", snake).casefold()


_SHOWN = re.compile(r"`([^`]+)`")


def advise_on_check(word: str) -> str:
    """What says here what another tool's assertion says there; what begins with "not" is never led to its opposite."""
    name = re.sub(r"_(?:metric|evaluator|grader)\Z", "", _fold(word))
    name = name if name in _CHECKS else name.removesuffix("_score")
    if name in plugin_names(CHECKS):
        return ""  # spelling tells
    if name in _CHECKS or not name.startswith("not_"):
        return _CHECKS.get(name, "") or _CHECKS.get(name.partition(":")[2], "")
    plain = name.removeprefix("not_")
    if plain in plugin_names(CHECKS):
        return f"write `not: {{{plain}: ...}}`"
    negations = {one.removeprefix("not_") for one in plugin_names(CHECKS) if one.startswith("not_")}
    if near := find_similar(plain, negations, likeness=_ONE_LETTER_OFF):
        return f"did you mean 'not_{near}'?"
    shown = _SHOWN.search(_CHECKS.get(plain, ""))
    return f"write `not: {f'{{{shown[1]}}}' if ':' in shown[1] else shown[1]}`" if shown else ""


def _advise_on_scenario_key(kind: str, word: str, _value: object, where: Where) -> str:
    if kind == "check":
        return advise_on_check(word)
    if where[-3:-2] == ("expect",):
        main_field = load_check(str(where[-1])).MAIN_FIELD
        return f"write `{main_field}`" if _fold(word) in _MAIN_FIELDS else ""
    if word == "defaults" and not where:
        return "they stand beside `scenarios`; a file with one scenario has its keys at the top"
    return _SCENARIO_KEYS.get(_fold(word), "") if kind == "key" else ""


def _advise_on_scenario_value(kind: str, text: str, _value: object, where: Where) -> str:
    if kind == "check":
        is_misspelt = find_similar(text, plugin_names(CHECKS)) is not None
        return advise_on_check(text) or ("" if is_misspelt else _advise_on_bare_text(text))
    if where[-1:] == ("number",) or where[-2:] == ("number", "value"):
        return _show_amount(text, is_short=where[-1:] == ("number",))
    name = str(where[-1]) if where else ""
    if name in plugin_names(CHECKS) and (hint := advise_on_switch(name, text)):
        return hint
    if where[-2:] == ("tool_called", "arguments"):
        return "write the arguments, as in {KEY: VALUE}; `tool_calls` has `arguments: exact`" * (text == "exact")
    if where[-1:] == ("timeout",) and (found := _DURATION.fullmatch(text.strip())):
        return f"write the seconds, as in `timeout: {Decimal(found['number']) * _SECONDS[found['unit'][:2].lower()]:f}`"
    return ""


def _advise_on_bare_text(text: str) -> str:
    """What an answer is to have, written where a check stands."""
    if re.split(r"[\s:]", text, maxsplit=1)[0] in plugin_names(CHECKS):
        return ""
    number = f"write `number: {text}`" if _NUMBER.fullmatch(text) else _show_amount(text, is_short=True)
    shown = f"`contains: {show_flow(text)}`"
    return f"{number}, or {shown} for the text" if number else f"to look for this text, write {shown}"


def _show_amount(text: str, *, is_short: bool) -> str:
    """`EUR 250` in the form that is read; "" where it is not clear what it would be."""
    if near := _WITH_TOLERANCE.fullmatch(text.strip()):
        return _show_number(f"value: {near['number']}, tolerance: {near['tolerance']}", is_short=is_short)
    if near := _ROUGHLY.fullmatch(text.strip()):
        hint = _show_number(f"value: {near['number']}, tolerance: 1", is_short=is_short)
        return f"{hint} for what may differ by 1"
    found = _AMOUNT.fullmatch(text.strip())
    unit = (found["before"] or found["after"]) if found else ""
    if found is None or not unit or (found["before"] and found["after"]):
        return ""
    if found["before"] and found["before"].isalpha() and not _CURRENCY_CODE.fullmatch(unit):
        return ""  # `about 5`
    number = found["number"]
    if _THOUSANDS.fullmatch(number):
        number = number.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(number):
        number = number.replace(",", ".")
    try:
        Decimal(number)
    except InvalidOperation:
        return ""
    shown_unit = show_flow(unit)
    return _show_number(f"value: {number}, unit: {shown_unit}", is_short=is_short)


def _show_number(fields: str, *, is_short: bool) -> str:
    return f"write `number: {{{fields}}}`" if is_short else f"write `{fields}`"


def _advise_on_assistants_key(kind: str, word: str, value: object, where: Where) -> str:
    if kind == "tool":
        is_function = word == "type" and value == "function"
        return _TOOLS.get("function" if is_function else _fold(word), "")
    if kind != "key":
        return ""
    if word == "inference" and where[:1] != ("targets",):
        return (
            "what answers is part of a target: write `target: local` and "
            f"`targets: {{local: {{api: responses, server: embedded, inference: {show_inference(value)}}}}}` at the top"
        )
    return _advise_on_api_form(word, value, where) or _ASSISTANT_KEYS.get(_fold(word), "")


def _advise_on_api_form(word: str, value: object, where: Where) -> str:
    """A part of a request's body, as the API has it, in the place of our short form."""
    if where[-2:-1] == ("functions",):
        forms = {"type": _NOT_SENT, "function": "write what is in it one level up: `name`, `description`, `parameters`"}
        return forms.get(word, "")
    if where[-1:] == ("response_format",) and word == "type" and value in ("text", "json_object"):
        return f"write `response_format: {value}`, by itself; only `json_schema` is a mapping"
    return "it is said by `json_schema`; remove it" if where[-1:] == ("response_format",) and word == "type" else ""


def _advise_on_assistants_value(kind: str, text: str, _value: object, _where: Where) -> str:
    return _TOOLS.get(_fold(text), "") if kind == "tool" else ""


def _advise_on_missing(_kind: str, key: str, value: object, where: Where) -> str:
    if key == "api" and where[:1] == ("targets",) and isinstance(value, dict) and "inference" in value:
        return f"write `{show_embedded_target(str(where[-1]), value)}`"
    return ""


def _advise_on_field(body: Mapping[str, object], field: str, check: str) -> str:
    """A field of a check, beside the check's short form."""
    if check not in plugin_names(CHECKS) or isinstance(body[check], dict | list):
        return ""
    main_field = load_check(check).MAIN_FIELD
    full = {main_field: body[check], field: body[field]}
    return "" if field == main_field else f"write `{check}: {show_flow(full)}`"


SCENARIO_ADVICE = Advice(on_key=_advise_on_scenario_key, on_value=_advise_on_scenario_value, on_beside=_advise_on_field)
ASSISTANTS_ADVICE = Advice(
    on_key=_advise_on_assistants_key, on_value=_advise_on_assistants_value, on_missing=_advise_on_missing
)
