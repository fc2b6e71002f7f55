"""Makes docs/checks.md out of the checks' own schemas."""

from __future__ import annotations

from runner.cli.checks import describe_fields, show_examples
from runner.plugins import load_plugin, plugin_names

HEAD = """# Checks

Made by `docs/make_checks.py` out of `runner/checks/`; don't edit it here.

`expect` is a list. `check: value` sets the check's main field, marked * below; a mapping is always the full form:
`number: {value: 39.25, tolerance: 0.01}`. A turn passes when its answer is complete and every check holds. On a
refusal, a decline, an empty or incomplete answer nothing passes, negative checks included: `refuses` and `status`
alone say that such an ending is expected, and then the others judge it. The examples are run as tests. `runner checks`
lists them, `runner checks NAME` says of one what is here.
"""


EVALS = {
    "string_check `eq`": (
        "`equals: {value: TEXT, case: true}`",
        "kinds of space, dash and quotes are the same, marks of Markdown none",
    ),
    "string_check `ne` (`neq`)": (
        "`not: {equals: {value: TEXT, case: true}}`",
        "a refusal or a broken answer never passes",
    ),
    "string_check `like`": ("`contains: {value: TEXT, case: true, words: false}`", "leave `words` out: whole words"),
    "string_check `ilike`": ("`contains: {value: TEXT, words: false}`", "leave `words` out: whole words"),
    "text_similarity": (
        "`similar: {value: TEXT, by: METRIC, threshold: SHARE}`",
        "fuzzy_match, bleu, gleu, meteor, rouge_1 to rouge_5, rouge_l; meteor without synonyms; numbers and negations "
        "have to be the same, too, but for `facts: false`; `cosine` has none: it needs embeddings, ask a `judge`",
    ),
    "score_model": (
        "`judge: [{ask: QUESTION, levels: [bad, fair, good], at_least: fair}]`",
        "levels in words, not a number that the model makes up; an error of the judge is an error, not 0",
    ),
    "label_model": (
        "`judge: [{ask: QUESTION, choices: [ONE, ANOTHER], accept: [ONE]}]`",
        "an undecided judge is no pass",
    ),
    "python": ("`python: FILE.py:FUNCTION`", "an exception is an error, not 0"),
    "multi": ("none", "its parts are checks; `score` weighs them, formulas aren't worked out"),
}
PROMPTFOO = {
    "equals": ("`equals: {value: TEXT, case: true}`", "without `case`, upper and lower case are the same"),
    "contains": ("`contains: {value: TEXT, case: true, words: false}`", "whole words by default"),
    "icontains": ("`contains: TEXT`", "whole words; `words: false` finds it inside others"),
    "contains-all": ("`contains: [ONE, ANOTHER]`", "whole words"),
    "contains-any": ("`any_of: [contains: ONE, contains: ANOTHER]`", "`one_of` with `inside: true`: exactly one"),
    "starts-with": ("`starts_with: TEXT`", "whole words, whatever case, without marks of Markdown"),
    "regex": ("`matches: REGEX`", "Python's kind, with a time limit"),
    "is-json": ("`json: alone`, `json_schema: {schema: SCHEMA, place: alone}`", "a key twice, NaN: no JSON"),
    "contains-json": ("`json`, `json_schema: {schema: SCHEMA}`", "alone or in the only fence, not inside prose"),
    "javascript": ("`python: FILE.py:FUNCTION`", "no JavaScript"),
    "python": ("`python: FILE.py:FUNCTION`", "a file of the project, no code in YAML"),
    "similar": ("`judge`", "no embeddings; `similar` compares the letters or words"),
    "llm-rubric": ("`judge: QUESTION`", "undecided and broken judges are errors"),
    "factuality": ("`factual`", "against a reference"),
    "model-graded-closedqa": ("`judge: QUESTION`", "a yes or no"),
    "answer-relevance": ("`judge: QUESTION`", "no embeddings, no questions made up"),
    "latency": ("`latency_s: SECONDS`", "seconds, not milliseconds"),
    "cost": ("`cost: US_DOLLARS`", "by genai-prices, without fees for tools"),
    "is-refusal": ("`refuses`", "in some twenty languages; an API's refusal, too"),
    "rouge-n": ("`similar: {value: TEXT, by: rouge_1}`", "`rouge_2` to `rouge_5`, `rouge_l`; the F-measure"),
}


def make() -> dict[str, str]:
    checks = map(describe, plugin_names("runner.checks"))
    tables = [counterparts("OpenAI's graders", EVALS), counterparts("promptfoo's assertions", PROMPTFOO)]
    return {"docs/checks.md": "\n".join([HEAD, *checks, *tables])}


def counterparts(title: str, known: dict[str, tuple[str, str]]) -> str:
    rows = [f"| {theirs} | {ours} | {difference} |" for theirs, (ours, difference) in known.items()]
    return "\n".join([f"## {title}, and ours\n", "| There | Here | What is different |", "|---|---|---|", *rows, ""])


def describe(name: str) -> str:
    module = load_plugin("runner.checks", name)
    fields = [(field, value, meaning.replace("|", "\\|")) for field, value, meaning in describe_fields(module)]
    rows = [
        f"| `{field.rstrip('*')}`{'*' * field.count('*')} | {value} | {meaning} |" for field, value, meaning in fields
    ]
    table = "\n".join(["| Field | Value | Meaning |", "|---|---|---|", *rows])
    examples = "\n".join(["```yaml", *show_examples(module), "```", ""])
    return f"## {name}\n\n{module.SCHEMA['description']}\n\n{table}\n\n{examples}"
