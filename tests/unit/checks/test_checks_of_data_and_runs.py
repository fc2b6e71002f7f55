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
    date,
    json_,
    json_path,
    json_schema,
    language,
    latency_s,
    length,
    number,
    numbers,
    produces,
    refuses,
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
def test_a_pattern_in_a_path_cannot_keep_it_busy() -> None:
    check = json_path.Check(path="$[?match(@, '(a|aa)+')]")

    with at_most_cpu_s(2), pytest.raises(CheckBroken, match="took more than"):
        check.judge(an_answer(f'["{"a" * 5000}b"]'))


@pytest.mark.slow
def test_a_pattern_in_a_schema_that_takes_too_long_is_no_verdict() -> None:
    check = json_schema.Check(schema={"items": {"pattern": "^(a|aa)+$"}})

    with at_most_cpu_s(2), pytest.raises(CheckBroken, match="takes longer"):
        check.judge(an_answer(f'["{"a" * 5000}b"]'))


def test_values_are_compared_as_numbers_and_booleans_are_none() -> None:
    check = json_path.Check(path="$.a", equals=Decimal("1.0"))

    assert check.judge(an_answer('{"a": 1}')).holds
    assert not check.judge(an_answer('{"a": true}')).holds


@pytest.mark.slow
@pytest.mark.parametrize("path", ["$..[?@..a]", "$..*", "$..[?count(@..*) > 9999999]", "$[?@.a == $[0].b]"])
@pytest.mark.parametrize("text", ["[" * 90 + ",".join("1" * 200_000) + "]" * 90, f"[{','.join(['{}'] * 90_000)}]"])
def test_no_path_is_busy_for_long(path: str, text: str) -> None:
    with at_most_cpu_s(2.5), suppress(CheckBroken):
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


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("Your flight leaves 4 March 2026 at 10:15.", True),
        ("Row 12, 4 March 2026, for 2 people.", True),
        ("It leaves 2026-03-04 10:15-11:00.", True),
        ("\u65e5\u671f2026-03-04\u3002", True),
        ("4 March 2026 until 9 March 2026.", False),
        ("4 March 2026\u20136 March 2026.", False),
        ("2026-03-04/2026-03-06", False),
        ("2026-03-04 to 06", False),
        ("3 and 4 March 2026", False),
        ("the 3rd or the 4th of March 2026", False),
        ("March 4 or 5, 2026", False),
        ("order 2026-03-04-117", False),
        ("release v2026.03.04.1", False),
        ("~~4 March 2026~~", False),
        ("It isn't on 2026-03-04.", False),
        ("It no longer leaves on 4 March 2026.", False),
        ("never 4 March 2026", False),
        ("any day but 4 March 2026", False),
        ("The old date, 4 March 2026, no longer applies.", False),
        ("parcel 2026-03-04-x9", False),
        ("You may collect it on 4 March 2026.", True),
    ],
)
def test_one_date_is_given_not_a_span_a_number_or_a_denied_one(answer: str, holds: bool) -> None:
    assert date.Check(value="2026-03-04").judge(an_answer(answer)).holds is holds


@pytest.mark.parametrize(
    "answer",
    [
        "around 4 March 2026", "~4 March 2026", "in the week of 4 March 2026", "two days after 4 March 2026",
        "Please pay by 4 March 2026.", "before 4 March 2026", "until Wednesday, 4 March 2026", "4 March 2026 or later",
        "no later than 4 March 2026", "4 March 2026 at the latest", "bis zum 4. M\u00e4rz 2026", "avant le 4 mars 2026",
        "antes del 4 de marzo de 2026", "sp\u00e4testens am 4. M\u00e4rz 2026", "from 4 March 2026 on.",
        "The meeting on 4 March 2026 is cancelled.", "It was cancelled on 4 March 2026.", "Is it 4 March 2026?",
        "The trip of 4 March 2026 has been postponed.", "If it is 4 March 2026, then no.", "as early as 4 March 2026",
        "Perhaps on 4 March 2026.", "It might arrive on 4 March 2026.", "a date such as 2026-03-04",
        "two weeks from 4 March 2026",
    ],
)  # fmt: skip
def test_a_date_that_words_qualify_counts_only_where_that_is_said(answer: str) -> None:
    assert not date.Check(value="2026-03-04").judge(an_answer(answer)).holds
    assert date.Check(value="2026-03-04", qualified=True).judge(an_answer(answer)).holds


@pytest.mark.parametrize(
    "answer",
    [
        "It was moved from 2 March 2026 to 4 March 2026.", "4 March 2026, not 2 March 2026", "4. M\u00e4rz 2026",
        "It was originally 2 March 2026 but is now 4 March 2026.", "4 March 2026 instead of 2 March 2026",
        "The flight on 4 March 2026 has not been cancelled.", "It was rescheduled to 4 March 2026.", "4 march 2026",
        "Date: 4 March 2026\nAnything else?", "By car on 4 March 2026.", "As I said before, 4 March 2026.",
        "La cita se fij\u00f3 para el 4 de marzo de 2026.", "Na quarta-feira, 4 de mar\u00e7o de 2026.",
        "march 4, 2026",
        "2026. m\u00e1rcius 4.", "\u096a \u092e\u093e\u0930\u094d\u091a 2026", "2026\u5e743\u67084\u53f7",
    ],
)  # fmt: skip
def test_a_date_that_is_given_is_found_among_others_and_in_other_forms(answer: str) -> None:
    assert date.Check(value="2026-03-04").judge(an_answer(answer)).holds


def test_any_of_several_dates_may_be_the_wanted_one_but_a_day_that_shares_a_month_is_none() -> None:
    any_date = date.Check(value="2026-03-04", take="any")
    assert any_date.judge(an_answer("4 March 2026 or 6 March 2026")).holds
    assert any_date.judge(an_answer("from 2026-03-04 to 2026-03-06")).holds
    assert not date.Check(value="2026-03-04", year=False).judge(an_answer("March 4-6")).holds
    assert date.Check(value="2026-03-04", year=False).judge(an_answer("on March 4 at 10:15")).holds


@pytest.mark.parametrize(("day", "holds"), [(1, False), (2, True), (6, True), (7, False)])
def test_a_date_may_be_some_days_off_on_either_side(day: int, holds: bool) -> None:
    check = date.Check(value="2026-03-04", tolerance_days=2)

    assert check.judge(an_answer(f"On {day} March 2026.")).holds is holds


def test_dates_are_found_in_good_time_in_any_text() -> None:
    with at_most_cpu_s(1.0):
        for piece in ("until 9 ", "4/", "4-4 ", "March 4 or ", "not on "):
            date.Check(value="2026-03-04").judge(an_answer(piece * (200_000 // len(piece))))


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


@pytest.mark.parametrize(
    ("text", "is_refusal"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I\u2019m not able to provide medical advice.", True),
        ("I am unable to share that information.", True),
        ("Sorry, I cannot discuss other customers' orders.", True),
        ("Es tut mir leid, dabei kann ich Ihnen nicht helfen.", True),
        ("Je ne peux pas vous aider avec cela.", True),
        ("Lo siento, no puedo ayudarte con eso.", True),
        ("The total is 39.25.", False),
        ("You can't bring pets, but you can bring a bag.", False),
        ("I could not find a discount on the receipt; the total is 39.25.", False),
        ("Of course! Here is how it works.", False),
        ("I cannot help but agree: it is 39.25.", False),
        ("I can't say for certain, but it should be 39.25.", False),
        ("I can't recommend this hotel enough!", False),
        ("I refuse to believe it is 2026 already; the answer is 4.", False),
        ("It's against the rules to park there.", False),
        ("Outside the scope of the EU directive, VAT is 0%.", False),
        ("That is outside the scope of what I can help with.", True),
        ("Sorry, that is against the guidelines.", True),
        ("I do not provide legal advice.", True),
        ("I cannot and will not help with that.", True),
        ("I can only help with travel questions.", True),
        ("We can't share that information.", True),
        ("Das darf ich nicht.", True),
        ("Daar kan ik niet mee helpen.", True),
        (
            "申し訳ありませんが、お手伝いできません。",
            True,
        ),
        ("\u62b1\u6b49\uff0c\u6211\u65e0\u6cd5\u63d0\u4f9b\u5e2e\u52a9\u3002", True),
        (
            "Извините, я не могу помочь.",
            True,
        ),
        ("Przepraszam, nie mog\u0119 w tym pom\u00f3c.", True),
        ("\uc8c4\uc1a1\ud558\uc9c0\ub9cc \ub3c4\uc640\ub4dc\ub9b4 \uc218 \uc5c6\uc2b5\ub2c8\ub2e4.", True),
        ("\u00dczg\u00fcn\u00fcm, bu konuda yard\u0131mc\u0131 olamam.", True),
        ("I can't recommend it highly enough.", False),
        ("If I can't help with that, a colleague will.", False),
        ("The agent said 'I cannot help you', which was wrong: the refund is 30 euros.", False),
        ("You wrote that I can't help with that. I can: press reset.", False),
        ("Returns are against the policy after 30 days.", False),
        ("I can't help you without your order number: what is it?", False),
        ('"I can\'t help with that."', True),
        ("I am an AI and cannot give legal advice.", True),
        ("That falls outside what I can help with.", True),
        ("I'd rather not answer that.", True),
        ("I do not have permission to share that.", True),
        ("Company policy doesn't allow me to do that.", True),
        ("I'm prohibited from sharing this.", True),
        ("This request violates our policy.", True),
        ("I don't think I can help with that.", True),
        ("That's beyond my scope.", True),
        ("I have been instructed not to discuss that.", True),
        ("I am not at liberty to say.", True),
        ("It wouldn't be appropriate for me to comment.", True),
        ("No tengo permiso para compartir eso.", True),
        ("I don't think you can return it.", False),
        ("That's beyond the warranty period.", False),
        ("Ich kann Ihnen nicht sagen, wie froh wir sind! 30 Tage.", False),
        ("Dazu darf ich nichts sagen.", True),
        ("Nu v\u0103 pot ajuta cu asta.", True),
        ("Sajn\u00e1lom, ebben nem seg\u00edthetek.", True),
        (
            "Λυπάμαι, δεν μπορώ να βοηθήσω.",
            True,
        ),
        ("I can't help thinking it's 39.25.", False),
        ("We can't accept returns after 30 days.", False),
        ("We won't share your data with anyone.", False),
        ("I can't say no to that!", False),
        ("I can't speak for everyone, but yes.", False),
        ("I won't tell anyone. The answer is 4.", False),
        ("Unfortunately the store is closed.", False),
        ("Unfortunately, you can't do that on Sundays.", False),
        ("Ich kann nicht anders, als dir recht zu geben.", False),
        ("Non posso fare a meno di sorridere.", False),
    ],
)
def test_a_refusal_is_told_by_plain_words(text: str, is_refusal: bool) -> None:
    assert refuses.Check().judge(an_answer(text)).holds is is_refusal


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


@pytest.mark.parametrize("take", ["only", "last", "any"])
def test_dates_that_are_not_looked_at_are_not_overlooked(take: str) -> None:
    text = "2026-03-04 " * 1000 + "2026-03-09"
    with pytest.raises(CheckBroken, match="gives 1,000 dates"):
        date.Check(value="2026-03-04" if take == "only" else "2026-03-09", take=take).judge(an_answer(text))

    assert date.Check(value="2026-03-04", take="first").judge(an_answer(text)).holds
    assert date.Check(value="2026-03-04", take="any").judge(an_answer(text)).holds


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
