"""The checks on the answer's text: contains, not_contains, equals, one_of, matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from cpu_time import at_most_cpu_s
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.checks import an_answer, contains, equals, matches, not_contains, one_of, starts_with
from runner.checks._text import find_in, normalise, shorten
from runner.errors import CheckBroken

FULL_REFUND = [
    "a **full** refund",
    "a (full) refund",
    "a ‘full’ refund",
    "a 'full' refund",
    "a ‹full› refund",
    "a 「full」 refund",
    "a full† refund",
    "a full\\\nrefund",
    "a <b>full</b> refund",
    "a [full](https://x.y/z) refund",
    "a *full* refund",
    "a _full_ refund",
    "a `full` refund",
    "a ***full*** refund",
    "a ~~full~~ refund",
    "a <strong class='x'>full</strong> refund",
    "a full&nbsp;refund",
    "a f**ul**l refund",
    "a [full][1] refund",
    "a full<br>refund",
    "a full<!-- x --> refund",
    "a fu\u00adll refund",
    "a fu<wbr>ll refund",
    "a [**full** refund](u)",
    "> a full refund",
    "# a full refund",
    "a fu\u200bll refund",
    "a ![full](i.png) refund",
    "a ｆｕｌｌ refund",
    "a <i>full</i> <u>refund</u>",
    "a &#102;ull refund",
    "**a full** refund",
    "a full\n> refund",
    "a full ~~partial~~ refund",
    "a full【4:0†source】 refund",
    'a [full](u "title") refund',
    "a <a href='x'>full</a> refund",
    "a __full__ refund",
]


def is_contained(text: str, value: str | Sequence[str], **parameters: Any) -> bool:
    return contains.Check(value=value, **parameters).judge(an_answer(text)).holds


class TestContains:
    @pytest.mark.parametrize(
        ("answer", "value"),
        [
            ("The gate is B12.", "B12"),
            ("the GATE is b12", "The gate"),
            ("It costs $39.", "$39"),
            ("Don’t worry", "don't worry"),
            ("a “quoted” word", '"quoted"'),
            ("Berlin–Paris", "Berlin-Paris"),
            ("39\u00a0USD", "39 USD"),
            ("two\n\n lines", "two lines"),
            ("so\u00adft hyphen", "soft"),
            ("ﬁnal", "final"),
            ("Ｐａｒｉｓ", "Paris"),
            ("cafe\u0301", "café"),
            ("STRASSE", "Straße"),
            ("istanbul", "İstanbul"),
            ("東京都へ行く", "東京"),
            ("서울은 크다", "서울"),
            ("end: 39", "39"),
            ("car, card", "card"),
            ("cards card", "card"),
        ],
    )
    def test_a_text_is_found_however_it_is_set(self, answer: str, value: str) -> None:
        assert is_contained(answer, value)

    @pytest.mark.parametrize(
        ("answer", "value"),
        [
            ("determine", "MI"),
            ("cards", "card"),
            ("39.25", "39"),
            ("39.25", "25"),
            ("1,390", "390"),
            ("139", "39"),
            ("snake_case", "case"),
            ("$39.25", "$39"),
            ("cafés", "café"),
            ("हिन्दी", "हिन"),
        ],
    )
    def test_a_part_of_a_word_or_number_is_not_it(self, answer: str, value: str) -> None:
        assert not is_contained(answer, value)
        assert is_contained(answer, value, words=False)

    def test_a_list_must_be_there_as_a_whole(self) -> None:
        check = contains.Check(value=["gate", "terminal"])

        assert check.judge(an_answer("Gate 5, terminal 2")).holds
        finding = check.judge(an_answer("Gate 5"))
        assert finding.reason == "the answer doesn't contain 'terminal'"
        assert finding.expected == "'gate' and 'terminal'"

    @pytest.mark.parametrize(
        ("value", "answer"),
        [
            ("102", "10²"),
            ("10²", "102"),
            ("10⁵", "105 people"),
            ("105", "10⁵"),
            ("1/2", "½"),
            ("½", "1/2"),
            ("H2O", "H₂O"),
            ("1", "①"),
            ("12", "1²"),
            ("102", "10<sup>2</sup>"),
            ("12m2", "12㎡"),
        ],
    )
    @pytest.mark.parametrize("words", [True, False])
    def test_a_raised_digit_is_no_digit(self, value: str, answer: str, words: bool) -> None:
        assert not is_contained(answer, value, words=words)
        assert not equals.Check(value=value).judge(an_answer(answer)).holds

    @pytest.mark.parametrize(
        ("value", "answer"),
        [
            ("10²", "10<sup>2</sup>"),
            ("39.25", "39.25<sup> 1 </sup>"),
            ("39", "３９"),
            ("2*3", "2*3"),
            ("2 * 3 * 4", "2 * 3 * 4"),
            ("snake_case", "snake_case"),
            ("full refund", "a **full** refund"),
            ("R&D", "R&amp;D"),
            ("<b>", "use <b> here"),
            ("**bold**", "use **bold** here"),
            ("5 < 6", "5 < 6 and 7 > 6"),
            ("#1", "We're #1"),
            ("-5", "-5 degrees"),
            ("__init__", "the __init__ file"),
        ],
    )
    def test_a_text_is_found_as_it_is_written_and_as_it_is_shown(self, value: str, answer: str) -> None:
        assert is_contained(answer, value)

    def test_case_makes_a_difference_when_asked(self) -> None:
        assert not is_contained("us", "US", case=True)
        assert is_contained("the US", "US", case=True)

    def test_the_reason_names_the_way_out_when_it_is_inside_a_word(self) -> None:
        assert "words: false" in contains.Check(value="card").judge(an_answer("cards")).reason

    @pytest.mark.parametrize("value", [" ", "\u200b", ["ok", "\u00ad"]])
    def test_an_invisible_text_is_refused(self, value: str | list[str]) -> None:
        with pytest.raises(ValueError, match="visible"):
            contains.Check(value=value)


class TestNotContains:
    def test_it_fails_where_the_text_stands_and_shows_it(self) -> None:
        finding = not_contains.Check(value=["sorry", "as an AI"]).judge(an_answer("Well. " * 60 + "As an AI I can't."))

        assert not finding.holds
        assert finding.reason == "the answer contains 'as an AI'"
        assert "As an AI" in finding.found

    def test_it_holds_where_the_text_stands_inside_another_word_only(self) -> None:
        assert not_contains.Check(value="refund").judge(an_answer("refunds")).holds
        assert not not_contains.Check(value="refund", words=False).judge(an_answer("refunds")).holds

    @pytest.mark.parametrize("answer", FULL_REFUND)
    def test_marks_of_markdown_and_html_hide_nothing(self, answer: str) -> None:
        assert not not_contains.Check(value="full refund").judge(an_answer(answer)).holds

    def test_what_is_struck_out_counts_for_neither_side(self) -> None:
        assert not contains.Check(value="full refund").judge(an_answer("a ~~full~~ refund")).holds
        assert not not_contains.Check(value="full refund").judge(an_answer("a ~~full~~ refund")).holds

    @settings(deadline=None)
    @given(text=st.text(max_size=80), value=st.text(min_size=1, max_size=5), words=st.booleans(), case=st.booleans())
    def test_it_is_the_opposite_of_contains(self, text: str, value: str, words: bool, case: bool) -> None:
        if not normalise(value, case=case):
            return
        one = contains.Check(value=value, words=words, case=case).judge(an_answer(text))
        other = not_contains.Check(value=value, words=words, case=case).judge(an_answer(text))
        assert one.holds is not other.holds


class TestEquals:
    def test_the_whole_answer_counts_and_outer_space_does_not(self) -> None:
        assert equals.Check(value="Gate B12").judge(an_answer("\n gate\u00a0b12 \n")).holds
        assert not equals.Check(value="Gate B12").judge(an_answer("Gate B12.")).holds
        assert not equals.Check(value="Gate", case=True).judge(an_answer("gate")).holds

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ("Paris and Rome", "the answer goes on after it"),
            ("Par", "the answer stops before its end"),
            ("Parma", "they differ from 'ma' on"),
        ],
    )
    def test_the_reason_says_where_they_part(self, answer: str, reason: str) -> None:
        assert equals.Check(value="Paris").judge(an_answer(answer)).reason == reason

    def test_the_reason_says_when_only_case_differs(self) -> None:
        assert "case" in equals.Check(value="Paris", case=True).judge(an_answer("paris")).reason


class TestOneOf:
    @pytest.mark.parametrize("answer", ["yes", "Yes.", "**Yes**", '"yes"', " YES! "])
    def test_the_answer_is_one_of_them_however_it_is_wrapped(self, answer: str) -> None:
        assert one_of.Check(values=["yes", "no"]).judge(an_answer(answer)).holds

    @pytest.mark.parametrize("answer", ["maybe", "yes and no", "yesterday", "I say yes"])
    def test_anything_else_fails(self, answer: str) -> None:
        assert not one_of.Check(values=["yes", "no"]).judge(an_answer(answer)).holds

    def test_inside_a_longer_answer_exactly_one_must_stand(self) -> None:
        check = one_of.Check(values=["red", "white", "red wine"], inside=True)

        assert check.judge(an_answer("I would take the red one.")).holds
        assert check.judge(an_answer("Red wine goes with it.")).holds
        assert not check.judge(an_answer("Neither.")).holds
        finding = check.judge(an_answer("Red or white?"))
        assert finding.reason == "the answer contains 'red' and 'white', so it doesn't choose"

    @pytest.mark.parametrize(
        "answer", ["_Paris_ or Rome", "P**aris** or Rome", "[Paris](x) or <b>Rome</b>", "Paris ~~Rome~~"]
    )
    def test_marks_hide_no_second_choice(self, answer: str) -> None:
        assert not one_of.Check(values=["Paris", "Rome"], inside=True).judge(an_answer(answer)).holds

    @pytest.mark.parametrize(
        "answer",
        [
            "not Paris", "It isn't Paris.", "Paris is not the capital.", "Paris is wrong.", "Is it Paris?", "~~Paris~~",
            "I don't think it is in Paris.", "Any city but Paris", "anything but Paris", "I doubt it is Paris",
            "other than Paris", "It is **not** Paris", "neither Paris nor Rome", "It's neither Oslo, Paris nor Bern.",
            "It isn't Paris or Rome.", "Nicht Paris", "Ce n'est pas Paris", "No es Paris", "N\u00e3o \u00e9 Paris",
            "\u4e0d\u662fParis", "Paris de\u011fil", "- not Rome\n- not Paris", "If it is Paris, say so.",
            "Perhaps Paris", "It might be Paris.", "Vielleicht Paris.", "I am unable to say it is Paris", "Paris: no",
        ],
    )  # fmt: skip
    def test_a_value_that_is_denied_or_asked_is_not_given(self, answer: str) -> None:
        assert not one_of.Check(values=["Paris", "Rome"], inside=True).judge(an_answer(answer)).holds

    @pytest.mark.parametrize(
        "answer",
        [
            "It is not Rome but Paris.", "Not Rome, it's Paris.", "Paris, not Rome.", "Paris rather than Rome",
            "The answer is not in the text\n\nParis", "I have no doubt that it's Paris.", "Without a doubt, Paris.",
            "It is not cheap, so Paris is best.", "Paris, right?", "Not only is it big: Paris.", "Paris, not far away.",
            "Paris. Do you want to know more?", "It's Paris. Rome isn't the capital.", "Rome is wrong: Paris.",
        ],
    )  # fmt: skip
    def test_a_denial_of_something_else_leaves_the_value_given(self, answer: str) -> None:
        assert one_of.Check(values=["Paris", "Rome"], inside=True).judge(an_answer(answer)).holds

    def test_values_that_are_the_same_to_the_check_are_refused(self) -> None:
        with pytest.raises(ValueError, match="told apart"):
            one_of.Check(values=["Yes", "yes."])


class TestMatches:
    def test_what_only_marks_hide_is_a_weak_failure(self) -> None:
        finding = matches.Check(pattern="full refund").judge(an_answer("a **full** refund"))

        assert not finding.holds
        assert finding.weak
        assert "without the marks" in finding.reason
        assert not matches.Check(pattern="full refund").judge(an_answer("a **small** refund")).weak

    def test_the_pattern_may_stand_anywhere(self) -> None:
        assert matches.Check(pattern=r"gate [A-Z]\d+").judge(an_answer("Your gate B12 is open")).holds
        finding = matches.Check(pattern="^gate").judge(an_answer("Your gate"))
        assert finding.reason == "nothing in the answer matches"

    def test_whole_means_all_of_it(self) -> None:
        check = matches.Check(pattern=r"\d+", whole=True)

        assert check.judge(an_answer(" 39 \n")).holds
        assert not check.judge(an_answer("39 dollars")).holds

    def test_an_empty_match_in_an_empty_answer_is_no_match(self) -> None:
        assert not matches.Check(pattern=r"\d*", whole=True).judge(an_answer(" ")).holds

    @pytest.mark.parametrize("pattern", [".*", "x*", "(?:a|)", "^.*$", r"(?s)\A.*\Z", "gate|"])
    def test_a_pattern_that_cannot_fail_is_refused(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="can't fail"):
            matches.Check(pattern=pattern)

    @pytest.mark.parametrize("pattern", [".*", "(?s).*", r"[\s\S]*"])
    def test_a_whole_pattern_that_cannot_fail_is_refused(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="can't fail"):
            matches.Check(pattern=pattern, whole=True)

    @pytest.mark.parametrize(
        ("pattern", "whole", "answer"),
        [("x*", True, "y"), (r"\d*", True, "a"), ("gate|", True, "room"), ("^(?!.*sorry)", False, "sorry")],
    )
    def test_a_pattern_that_can_fail_is_not_refused_for_matching_nothing(
        self, pattern: str, whole: bool, answer: str
    ) -> None:
        assert not matches.Check(pattern=pattern, whole=whole).judge(an_answer(answer)).holds

    @pytest.mark.parametrize("pattern", ["(", "[a", "*a", r"(?P<x>a)(?P=y)", "a{2,1}"])
    def test_a_bad_pattern_is_refused_when_it_is_read(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="no regular expression"):
            matches.Check(pattern=pattern)

    @pytest.mark.parametrize("pattern", ["(?:(?:a{1000}){1000}){1000}", "(" * 900 + "a" + ")" * 900, "a{999999999999}"])
    def test_a_pattern_that_eats_memory_is_refused_at_once(self, pattern: str) -> None:
        with pytest.raises(ValueError, match=r"too much|too large"):
            matches.Check(pattern=pattern)

    @pytest.mark.slow
    def test_a_pattern_without_end_breaks_the_check(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(matches, "_TIMEOUT_S", 0.2)
        check = matches.Check(pattern="(a+)+$")

        with pytest.raises(CheckBroken, match="took more than"):
            check.judge(an_answer("a" * 100_000 + "!"))


class TestShorten:
    @settings(deadline=None)
    @given(text=st.text(max_size=2000), around=st.integers(0, 2000))
    def test_a_shown_text_is_one_short_line(self, text: str, around: int) -> None:
        shown = shorten(text, around=around)

        assert len(shown) <= 170
        assert "\n" not in shown

    def test_what_was_left_out_leaves_an_ellipsis(self) -> None:
        assert shorten("short  text\n") == "short text"
        assert shorten("word " * 100).endswith("…")
        assert shorten("a" * 500 + "needle" + "b" * 500, around=500).count("needle") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["*", "_", "[", "[a](", "<b", "<a ", "~~", "`", "> ", "\\", "[a](b) ", "【", "<s>", "&amp;", "<!--", "[[", "中"],
)
def test_no_text_makes_the_marks_hang(unit: str) -> None:
    with at_most_cpu_s(0.5):  # what grows with the square and took 30 s for a megabyte takes 0.5 s for an eighth of it
        assert not_contains.Check(value="full refund").judge(an_answer(unit * (125_000 // len(unit)))).holds


@pytest.mark.parametrize(
    ("text", "wanted"), [("a" * 1_000_000, "aa"), ("ab" * 500_000, "ba"), ("a " * 500_000, "a a b")]
)
@pytest.mark.slow
def test_a_hostile_answer_is_searched_in_seconds(text: str, wanted: str) -> None:
    assert find_in(text, wanted, words=True) == -1


DECORATED = (
    'a "full" refund|a “full” refund|a full¹ refund|a full[^1] refund|a full [1] refund|a full<sup>1</sup> refund'
    "|a ==full== refund|a ++full++ refund|a [full] refund|a {full} refund|a $full$ refund|a \\textbf{full} refund"
    "|a \\*full\\* refund|a <x-y>full</x-y> refund|a [full](<http://x y>) refund|a fu\u034fll refund"
    "|a fu\ufe0fll refund"
    "|a fu\u3164ll refund"
).split("|")


@pytest.mark.parametrize("answer", DECORATED)
def test_marks_around_or_behind_a_word_hide_it_from_no_check(answer: str) -> None:
    assert not not_contains.Check(value="full refund").judge(an_answer(answer)).holds
    assert contains.Check(value="full refund").judge(an_answer(answer)).holds


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("~~Oslo~~ Bergen", "Oslo"), ("<!-- Oslo --> Bergen", "Oslo"), ("12<sup>3</sup>", "12"), ("39'000", "39"),
        ("x = y", "x y"), ("C++ code", "C code"), ("12[3]", "123"),
    ],
)  # fmt: skip
def test_what_is_struck_out_hidden_or_part_of_more_is_not_contained(answer: str, value: str) -> None:
    assert not contains.Check(value=value).judge(an_answer(answer)).holds


@pytest.mark.parametrize(
    "answer", ["39%", "39 %", "-39", "\u221239", "39:30", "39 000", "39\u202f000", "39\u00b75", "39\u066b5"]
)
def test_a_part_of_an_amount_is_not_found_where_it_is_wanted_but_where_it_must_not_be(answer: str) -> None:
    assert not contains.Check(value="39").judge(an_answer(f"It is {answer} in all")).holds
    assert not starts_with.Check(value="39").judge(an_answer(f"{answer} in all")).holds
    assert not one_of.Check(values=["39", "40"], inside=True).judge(an_answer(f"It is {answer} in all")).holds
    assert not not_contains.Check(value="39").judge(an_answer(f"It is {answer} in all")).holds


@pytest.mark.parametrize(
    "answer", ["39 \u00b0C", "5-39", "A-39", "39/2026", "10.0.0.1:39", "39, 100", "39.", "$39", "39\u20ac"]
)
def test_a_number_that_stands_alone_is_found(answer: str) -> None:
    assert contains.Check(value="39").judge(an_answer(f"It is {answer} in all")).holds


@pytest.mark.parametrize("answer", ["Acme\u2122 is here", "Acme\u00ae is here"])
def test_a_trademark_is_no_part_of_the_name(answer: str) -> None:
    assert contains.Check(value="Acme").judge(an_answer(answer)).holds
