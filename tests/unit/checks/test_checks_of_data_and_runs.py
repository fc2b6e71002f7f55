"""What the checks' own examples don't show: mistakes in their parameters, hostile data, prices of one's own."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from cpu_time import at_most_cpu_s

from runner.checks import (
    BREAKS,
    an_answer,
    build_part,
    json_,
    json_path,
    json_schema,
    language,
    latency_s,
    length,
    number,
    numbers,
    produces,
    similar,
    tokens,
    tool_called,
    tool_calls,
)
from runner.domain.conversation import ProducedFile, Run, Step, Usage
from runner.domain.scenario import Expectation
from runner.errors import CheckBroken, Location
from runner.plugins import load_plugin
from runner.prices import Price, PriceUnknown, cost_usd


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        '{"a": 1, "a": 1}',
        "[" * 100_000,
        "1e99999999",
        "{'a': 1}",
        "",
        "```json\n{}\n```\n```\n{}\n```",
    ],
)
def test_what_only_looks_like_json_is_none(text: str) -> None:
    assert not json_.Check().judge(an_answer(text)).holds


@pytest.mark.parametrize(
    "text",
    [
        "```json\r\n{}\r\n```",
        'Here: ```json\n{"a": 1}```',
        '```json title="x"\n{}\n```',
        "```bash\nls\n```\nand\n```json\n{}\n```",
        '{"code": "```js\\n```"}',
        '{\n"code": "```",\n"more": "```"\n}',
        "1. So:\n   ~~~\n   {}\n   ~~~",
    ],
)
def test_json_is_found_in_the_fences_that_models_write(text: str) -> None:
    assert json_.Check().judge(an_answer(text)).holds


@pytest.mark.slow
def test_fences_without_end_are_read_in_good_time() -> None:
    with at_most_cpu_s(1.0):
        for piece in ("```a\n", "~~~\n```b\n", "`" * 9, "``` x"):
            json_.Check().judge(an_answer(piece * (1_000_000 // len(piece))))


@pytest.mark.parametrize(
    "schema", [{"$ref": "https://example.org/schema"}, {"type": "nothing"}, {"$ref": "#/$defs/missing"}]
)
def test_a_schema_that_is_none_or_would_be_fetched_is_refused_when_it_is_read(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`schema` "):
        json_schema.Check(schema=schema)


@pytest.mark.parametrize(
    "path", ["$.items[", "items", "$..a..b..c", "$[?@.a > ]", "$[?count($..*) > 2]", "$[?$.a[*]]", "$[?$[0:9]]"]
)
def test_a_path_that_is_none_is_refused_when_it_is_read(path: str) -> None:
    with pytest.raises(ValueError, match="is no JSONPath|could take for ever"):
        json_path.Check(path=path)


@pytest.mark.slow
def test_a_pattern_in_a_path_cannot_keep_it_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_path, "_PATTERN_TIMEOUT_S", 0.1)
    check = json_path.Check(path="$[?match(@, '(a|aa)+')]")

    with at_most_cpu_s(1), pytest.raises(CheckBroken, match="took more than"):
        check.judge(an_answer(f'["{"a" * 5000}b"]'))


@pytest.mark.slow
def test_a_pattern_in_a_schema_that_takes_too_long_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.json_schema.PATTERN_TIMEOUT_S", 0.1)
    check = json_schema.Check(schema={"items": {"pattern": "^(a|aa)+$"}})

    with at_most_cpu_s(1), pytest.raises(CheckBroken, match="takes longer"):
        check.judge(an_answer(f'["{"a" * 5000}b"]'))


def test_values_are_compared_as_numbers_and_booleans_are_none() -> None:
    check = json_path.Check(path="$.a", equals=Decimal("1.0"))

    assert check.judge(an_answer('{"a": 1}')).holds
    assert not check.judge(an_answer('{"a": true}')).holds


@pytest.mark.slow
@pytest.mark.parametrize("path", ["$..[?@..a]", "$..*", "$..[?count(@..*) > 9999999]", "$[?@.a == $[0].b]"])
@pytest.mark.parametrize("text", ["[" * 90 + ",".join("1" * 200_000) + "]" * 90, f"[{','.join(['{}'] * 90_000)}]"])
def test_no_path_is_busy_for_long(path: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_path, "_TIMEOUT_S", 0.2)

    with at_most_cpu_s(1.5), suppress(CheckBroken):
        json_path.Check(path=path).judge(an_answer(text))


@pytest.mark.parametrize(
    ("wanted", "written", "holds"),
    [
        ("0.3", "0.30", True),
        ("0.3", "300E-3", True),
        ("0.3", "0.30000000000000004", False),
        ("0.3", "0.300000000000000000000001", False),
        ("1", "1.00000000000000000001", False),
        ("9007199254740993", "9007199254740993.0", True),
        ("9007199254740993", "9007199254740992", False),
        ("12345678901234567890", "1.2345678901234567890e19", True),
        ("12345678901234567890", "12345678901234567891", False),
    ],
)
def test_a_number_in_json_is_compared_as_it_is_written(wanted: str, written: str, holds: bool) -> None:
    check = json_path.Check(path="$.a", equals=Decimal(wanted))

    assert check.judge(an_answer(f'{{"a": {written}}}')).holds is holds


@pytest.mark.parametrize("name", ["length", "latency_s", "tokens", "cost", "steps"])
def test_limits_that_leave_nothing_are_refused(name: str) -> None:
    check = load_plugin("runner.checks", name).Check

    with pytest.raises(ValueError, match="say `max`"):
        check()
    with pytest.raises(ValueError, match="is more than"):
        check(min=3, max=2)


def test_tokens_that_are_not_counted_are_not_zero() -> None:
    run = an_answer("39", usage=Usage(input_tokens=3))

    with pytest.raises(CheckBroken, match="output tokens"):
        tokens.Check(max=10, of="output").judge(run)


def test_prices_of_ones_own_come_before_the_librarys() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cached_tokens=500_000)
    own = {"our-model": Price(input=Decimal(2), output=Decimal(10), cached_input=Decimal(1))}

    assert cost_usd(usage, "our-model", own) == Decimal("11.5")
    with pytest.raises(PriceUnknown, match="no price of the model 'our-model'"):
        cost_usd(usage, "our-model")


@pytest.mark.parametrize(
    ("text", "of", "count"),
    [
        ("Two words.", "words", 2),
        ("这是四字", "words", 4),
        ("It is 39.25. Really? Yes!", "sentences", 3),
        ("- one\n- two", "sentences", 2),
        ("...", "sentences", 0),
        ("Mr. and Mrs. Lee paid $3.50 at 10 a.m. today.", "sentences", 1),
        ("J. R. R. Tolkien wrote e.g. No. 5, etc. and so on... perhaps.", "sentences", 1),
        ("Am 4. März ist z. B. nichts.", "sentences", 1),
        ("I live in the U.S. You don't.", "sentences", 2),
        ("He came at 10 a.m. He left.", "sentences", 2),
        ("1. One\n2. Two", "sentences", 2),
        ("\u8fd9\u662f\u3002\u4e24\u4e2a\u3002", "sentences", 2),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1f3\U0001f1f4\U0001f44d\U0001f3fde\u0301", "characters", 4),
        (" ab\n", "characters", 2),
        ("a\r\nb", "characters", 3),
    ],
)
def test_lengths_are_counted_as_people_do(text: str, of: str, count: int) -> None:
    assert length.Check(min=count, max=count, of=of).judge(an_answer(text)).holds


@pytest.mark.parametrize(
    ("value", "text", "holds"),
    [
        (
            "en",
            "Возврат занимает 30 дней.",
            False,
        ),
        ("ja", "The refund takes 30 days from today.", False),
        ("ja", "\u8fd4\u91d1\u306b\u306f30\u65e5\u304b\u304b\u308a\u307e\u3059\u3002", True),
        ("zh", "\u8fd4\u91d1\u306b\u306f30\u65e5\u304b\u304b\u308a\u307e\u3059\u3002", False),
        ("en", "It prints the value:\n```\nf\u00fcr = ist + und + nicht + oder\n```", True),
    ],
)
def test_a_script_and_prose_alone_tell_the_language(value: str, text: str, holds: bool) -> None:
    assert language.Check(value=value).judge(an_answer(text)).holds is holds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("de", "Die Erstattung dauert 30 Tage, mehr nicht. The refund takes 30 days from now on."),
        ("ja", "かしこまりました。Please open Settings and choose Network and then Reset."),
    ],
)
def test_an_answer_with_a_sentence_in_another_language_is_no_pass(value: str, text: str) -> None:
    with pytest.raises(CheckBroken, match="a part of it as en"):
        language.Check(value=value).judge(an_answer(text))


def test_code_alone_is_in_no_language() -> None:
    with pytest.raises(CheckBroken, match="too few letters"):
        language.Check(value="en").judge(an_answer("```python\nprint('hello world of this')\n```"))


def test_how_long_a_run_took_may_be_unknown() -> None:
    with pytest.raises(CheckBroken, match="not known how long"):
        latency_s.Check(max=Decimal(5)).judge(an_answer("39", duration_s=0.0))


@pytest.mark.parametrize("by", "bleu gleu meteor rouge_1 rouge_5 rouge_l levenshtein fuzzy_match".split())
def test_each_measure_is_1_for_the_same_words_and_low_for_others(by: str) -> None:
    check = similar.Check(value="A refund takes thirty days from today.", by=by, threshold=Decimal("0.95"))

    assert check.judge(an_answer("A refund takes thirty days from today.")).holds
    assert not check.judge(an_answer("Nobody knows.")).holds


@pytest.mark.parametrize(
    ("value", "answer", "holds"),
    [
        ("A refund takes 30 days.", "A refund takes 60 days.", False),
        ("A refund takes 30 days.", "A refund takes sixty days.", False),
        ("A refund takes 30 days.", "A refund takes days.", False),
        ("A refund takes 30 days.", "A refund takes 30-60 days.", False),
        ("A refund takes 30 days.", "A refund takes ~~30~~ 60 days.", False),
        ("A refund takes 30 days.", "A refund never takes 30 days.", False),
        ("A refund takes 30 days.", "A refund takes 30 days [1].", True),
        ("A refund takes 30 days.", "A refund takes thirty days", True),
        ("You pay 1,234.50 EUR.", "You pay 1234.5 EUR.", True),
        ("A refund takes 30 days.", "A refund takes 30 hours.", False),
        ("It costs 5 USD a day.", "It costs 5 EUR a day.", False),
        ("It costs 5 USD a day.", "It costs $5 a day.", True),
        ("The shop opens at 9 am.", "The shop opens at 9 pm.", False),
        ("The shop opens at 9 am.", "The shop opens at 9 a.m.", True),
        ("Take at least 5 items.", "Take at most 5 items.", False),
        ("The shop is open on Sunday.", "The shop is closed on Sunday.", False),
        ("3 adults and 2 children", "2 adults and 3 children", False),
        ("Take one tablet a day.", "Take a tablet a day.", True),
        ("Take one tablet a day.", "Take two tablets a day.", False),
        ("Tickets are refundable.", "Tickets are non-refundable.", False),
        ("Tickets are refundable.", "Tickets are nonrefundable.", False),
        ("Tickets are refundable.", "Tickets aren't refundable.", False),
        ("Nicht vor 8 Uhr anrufen.", "Vor 8 Uhr anrufen.", False),
        ("\u9000\u6b3e\u9700\u898130\u5929\u3002", "\u9000\u6b3e\u4e0d\u9700\u898130\u5929\u3002", False),
    ],
)
def test_a_likeness_with_other_numbers_or_negations_is_none_by_default(value: str, answer: str, holds: bool) -> None:
    assert similar.Check(value=value).judge(an_answer(answer)).holds is holds
    assert similar.Check(value=value, facts=False, threshold=Decimal("0.5")).judge(an_answer(answer)).holds


def called(*names: str) -> Run:
    return an_answer("x", steps=tuple(Step(tool=name, completed=True, input='{"a": 1.0, "b": 2}') for name in names))


def test_a_wanted_call_leaves_another_its_only_one() -> None:
    calls = [{"tool": "rate"}, {"tool": "rate", "arguments": {"a": 1}}]

    assert tool_calls.Check(calls=calls).judge(called("rate", "rate")).holds
    assert not tool_calls.Check(calls=calls).judge(called("rate")).holds
    assert not tool_calls.Check(calls=["rate"], mode="exact").judge(called("rate", "book")).holds
    assert tool_calls.Check(calls=["book", "rate", "rate"], mode="subset").judge(called("rate")).holds
    assert not tool_calls.Check(calls=[calls[1]], arguments="exact").judge(called("rate")).holds
    broken = an_answer("x", steps=(Step(tool="rate", completed=False, input='{"a": 1}'),))
    assert not tool_calls.Check(calls=["rate"]).judge(broken).holds


@pytest.mark.parametrize("mode", ["any_order", "in_order", "exact", "subset"])
def test_calls_that_are_not_compared_are_not_overlooked(mode: str) -> None:
    """What nobody wants, or what is wanted, might be behind them."""
    check = tool_calls.Check(calls=["rate"], mode=mode)

    with pytest.raises(CheckBroken, match="there are 501 tool calls; 500 at most are compared"):
        check.judge(called(*["rate"] * 501))


def test_numbers_that_are_not_looked_at_are_not_overlooked() -> None:
    text = "7 " * 4000 + "8"
    with pytest.raises(CheckBroken, match="gives 3,000 numbers"):
        numbers.Check(values=[Decimal(8)]).judge(an_answer(text))

    assert numbers.Check(values=[Decimal(7)]).judge(an_answer(text)).holds


def expectation(check: str, **parameters: Any) -> Expectation:
    return Expectation(check=check, parameters=parameters, location=Location("scenarios/x.yaml", 1, 1))


UNTOLD = expectation("tokens", max=9)
"""It can't be told where nobody counted."""
GOOD_OR_UNTOLD = build_part(expectation("any_of", expect=(expectation("contains", value="good"), UNTOLD)))
BAD_OR_UNTOLD = build_part(expectation("all_of", expect=(expectation("contains", value="maybe"), UNTOLD)))


def test_a_check_on_a_call_that_can_not_be_told_is_no_failure_of_the_call() -> None:
    unclear, good = (Step(tool="book", completed=True, input=text) for text in ("maybe", "good"))
    check = tool_calls.Check(calls=[{"tool": "book", "expect": (GOOD_OR_UNTOLD,)}])

    with pytest.raises(CheckBroken, match="tokens"):
        check.judge(an_answer("x", steps=(unclear,)))
    assert check.judge(an_answer("x", steps=(unclear, good))).holds


def test_one_produced_file_that_can_not_be_read_hides_no_other() -> None:
    gone, csv = (
        ProducedFile(name="a.csv", problem="gone"),
        ProducedFile(name="b.csv", size_bytes=3, sha256="", text="1"),
    )
    check = produces.Check(name="*.csv", min_bytes=1)

    assert check.judge(an_answer("x", files=(gone, csv))).holds
    with pytest.raises(CheckBroken, match="gone"):
        check.judge(an_answer("x", files=(gone,)))


def test_a_produced_file_whose_text_can_not_be_told_about_is_no_pass() -> None:
    unclear, good = (ProducedFile(name=f"{text}.csv", size_bytes=5, text=text) for text in ("maybe", "good"))
    check = produces.Check(name="*.csv", expect=(GOOD_OR_UNTOLD,))

    with pytest.raises(CheckBroken, match="tokens"):
        check.judge(an_answer("x", files=(unclear,)))
    assert check.judge(an_answer("x", files=(unclear, good))).holds


@pytest.mark.parametrize("name", ["prices [1].csv", "out/Prices [1].CSV", "* [1].*"])
def test_a_produced_file_is_known_by_its_name_whatever_folder_and_brackets_it_has(name: str) -> None:
    check = produces.Check(name=name)

    assert check.judge(an_answer("x", files=(ProducedFile(name="/mnt/data/prices [1].csv"),))).holds
    assert not check.judge(an_answer("x", files=(ProducedFile(name="prices 1.csv"),))).holds


def test_one_value_that_can_not_be_told_hides_no_failure_of_another() -> None:
    check = json_path.Check(path="$[*]", expect=(BAD_OR_UNTOLD,))

    assert not check.judge(an_answer('["maybe", "bad"]')).holds
    with pytest.raises(CheckBroken, match="tokens"):
        check.judge(an_answer('["maybe", "maybe"]'))


def test_a_call_with_a_key_twice_has_no_certain_arguments() -> None:
    twice = an_answer("x", steps=(Step(tool="book", completed=True, input='{"n": 3, "n": 2}'),))

    assert not tool_called.Check(tool="book", arguments={"n": 2}).judge(twice).holds
    assert not tool_calls.Check(calls=[{"tool": "book", "arguments": {"n": 2}}]).judge(twice).holds


@pytest.mark.parametrize(("times", "holds"), [(2, True), ({"min": 1, "max": 3}, True), ({"max": 1}, False), (1, False)])
def test_how_often_a_tool_is_called_has_limits(times: Any, holds: bool) -> None:
    assert tool_called.Check(tool="rate", times=times).judge(called("rate", "rate")).holds is holds


def test_numbers_are_near_by_percent_or_between_limits() -> None:
    assert number.Check(value=Decimal(100), percent=Decimal(5)).judge(an_answer("It is 105 km.")).holds
    assert not number.Check(value=Decimal(100), percent=Decimal(5)).judge(an_answer("It is 105.1 km.")).holds
    assert number.Check(max=Decimal("0.5")).judge(an_answer("It is 12%.")).holds
    with pytest.raises(ValueError, match="`value` excludes"):
        number.Check(value=Decimal(1), min=Decimal(0))
    with pytest.raises(ValueError, match="say `max`"):
        number.Check()


def test_a_number_that_is_wanted_twice_is_there_twice() -> None:
    twice = numbers.Check(values=[Decimal(5), Decimal(5)])

    assert twice.judge(an_answer("5 apples and 5 pears")).holds
    assert not twice.judge(an_answer("5 apples and 6 pears")).holds


def test_a_wanted_number_leaves_another_its_only_one() -> None:
    check = numbers.Check(values=[Decimal("5.2"), Decimal("5.4")], tolerance=Decimal("0.3"))

    assert check.judge(an_answer("5.4 and 5 km")).holds
    assert not check.judge(an_answer("5 and 5 km")).holds


def test_a_pattern_from_the_answer_that_would_be_huge_is_an_error_at_once() -> None:
    part = build_part(expectation("json_path", path="$[?search(@.x, @.y)]"))

    verdict = part.judge(an_answer('[{"x": "a", "y": "(((a{1000}){1000}){1000})"}]'))

    assert verdict.outcome is BREAKS
    assert "repeats too much" in verdict.reason


def test_a_schema_with_a_pattern_that_would_be_huge_is_refused() -> None:
    with pytest.raises(ValueError, match="repeats too much"):
        build_part(expectation("json_schema", schema={"pattern": "(((a{1000}){1000}){1000})"}))
