"""The number check on every form that answers give numbers in, and on those that only look like it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from each_case import each
from number_judging import judge

from runner.checks._units import locales

NBSP, NARROW = "\u00a0", "\u202f"
TAKES = ("final", "only", "any", "all", "first")


FORMS = [
    ("$39.25", "39.25"),
    (r"\$39.25", "39.25"),
    ("$39.25$", "39.25"),
    (r"\text{ANSWER: }\$460", "460"),
    (r"\boxed{39.25}", "39.25"),
    (r"\(\boxed{\$39.25}\)", "39.25"),
    ("**39.25**", "39.25"),
    ("__39.25__", "39.25"),
    ("39.25 USD", "39.25"),
    ("39.25USD", "39.25"),
    ("USD 890,000,000", "890000000"),
    ("$890M", "890000000"),
    ("890 million", "890000000"),
    (r"890\text{ million}", "890000000"),
    ("€1.5bn", "1500000000"),
    ("5k", "5000"),
    ("12 Mio. EUR", "12000000"),
    ("EUR 890.500.000", "890500000"),
    ("RM 9.00", "9.00"),
    ("RM9.00", "9.00"),
    ("1.234,50", "1234.50"),
    ("1,234.50", "1234.50"),
    (f"1{NBSP}234,50", "1234.50"),
    (f"1{NARROW}234,50", "1234.50"),
    (f"1{NARROW}234{NARROW}567", "1234567"),
    ("1'234.50", "1234.50"),
    ("1’234.50", "1234.50"),
    ("1,23,456.00", "123456.00"),
    ("12,34,567", "1234567"),
    (r"5{,}632.34", "5632.34"),
    ("−5", "-5"),
    ("-5", "-5"),
    ("−$5", "-5"),
    ("$-5", "-5"),
    ("x = - 5", "-5"),
    ("(5.00)", "-5"),
    ("($5.00)", "-5"),
    ("5-", "-5"),
    ("5.00- EUR", "-5"),
    ("12%", "0.12"),
    ("12%", "12"),
    ("12.5 percent", "0.125"),
    (r"12\%", "0.12"),
    ("1.5e3", "1500"),
    ("1.5E-3", "0.0015"),
    (r"$5.6 \times 10^{3}$", "5600"),
    ("5.6 × 10³", "5600"),
    ("½", "0.5"),
    ("2½", "2.5"),
    ("2 1/2", "2.5"),
    ("3/4", "0.75"),
    (r"\frac{78.5}{2}", "39.25"),
    ("３９．２５", "39.25"),
    ("٣٩٫٢٥", "39.25"),
    ("١٬٢٣٤٫٥٠", "1234.50"),
    ("39.25.", "39.25"),
    ("≈39", "39"),
    ("~$39.25", "39.25"),
    ("5,600", "5600"),
    ("A: 81,500", "81500"),
    ("A: -4075", "-4075"),
    ("#### 460", "460"),
    ("$<<6*7=42>>42", "42"),
    ("共39.25元", "39.25"),
    ("39 dollars and 25 cents", "39.25"),
    ("<b>39.25</b>", "39.25"),
    ("> 39.25", "39.25"),
    ("- 39.25", "39.25"),
    ("| Total | 39.25 |", "39.25"),
    ('{"total": 39.25}', "39.25"),
    ("39.25/person", "39.25"),
    (".5", "0.5"),
    ("seventeen (17)", "17"),
    ("CHF 39.-", "39"),
    ("39.\u200b25", "39.25"),
]


@each(("answer", "value"), FORMS)
@each("frame", ["{}", "The burger is $23.75, the soda 15.50.\nSo you pay: {}", "Answer: {} "])
def test_a_number_is_read_in_the_form_that_it_has(answer: str, value: str, frame: str) -> None:
    finding = judge(frame.format(answer), value)

    assert finding.holds, finding.reason


def test_a_number_alone_needs_no_locale_data() -> None:
    locales.cache_clear()
    assert judge("It is 39.25.", "39.25").holds
    assert locales.cache_info().currsize == 0


@each(("answer", "value"), FORMS)
def test_a_form_is_not_read_as_a_neighbouring_number(answer: str, value: str) -> None:
    wrong = Decimal(value) + Decimal("0.01").scaleb(min(0, Decimal(value).as_tuple().exponent + 2))

    assert not judge(answer, f"{wrong:f}", tolerance=Decimal(0)).holds


NOT_THE_ANSWER = [
    ("39,25", "39.25", "ambiguous"),
    ("39,25", "3925", "ambiguous"),
    ("0,123", "123", "ambiguous"),
    ("1,2,3", "3", "one number or several"),
    ("1 234", "234", "one number or two"),
    ("39–40", "40", "39–40 is a range"),
    ("39-40", "39", "39-40 is a range"),
    ("$39–$40", "40", "range"),
    ("39€-40€", "40", "range"),
    ("39 – 40", "40", "range"),
    ("between 39 and 40", "40", "range"),
    ("39 to 40 dollars", "40", "range"),
    ("39 or 40", "40", "choice"),
    ("39.25 ± 0.5", "0.5", "range"),
    ("not 39.25", "39.25", "denied"),
    ("It is not **$39.25**", "39.25", "denied"),
    ("It isn't exactly 39.25", "39.25", "denied"),
    ("The sum can't be 39.25.", "39.25", "denied"),
    ("You do not need to pay 39.25", "39.25", "denied"),
    ("39.25 is wrong", "39.25", "denied"),
    ("39.25 is not the answer", "39.25", "denied"),
    ("≠ 39.25", "39.25", "denied"),
    ("more than 39.25", "39.25", "bound"),
    ("at least $39.25", "39.25", "bound"),
    ("x > 39.25", "39.25", "bound"),
    ("2^10", "10", "power"),
    ("2**10", "10", "power"),
    ("10²", "10", "power"),
    (r"\frac{x}{2}", "2", "formula"),
    (r"\sqrt{2}", "2", "root"),
    ("√2", "2", "root"),
    ("331.31 (5.00)", "5", "aside"),
]


@pytest.mark.parametrize(("answer", "value", "why"), NOT_THE_ANSWER)
def test_what_is_no_plain_number_fails_and_says_why(answer: str, value: str, why: str) -> None:
    finding = judge(answer, value)

    assert not finding.holds
    assert why in finding.reason


@pytest.mark.parametrize(("answer", "value", "_why"), NOT_THE_ANSWER)
def test_no_way_to_take_numbers_lets_a_doubtful_one_pass(answer: str, value: str, _why: str) -> None:
    assert [take for take in TAKES if judge(answer, value, take=take).holds] == []


WRONG = [
    ("minus 39.25", "39.25", "-39.25"),
    ("Negative $39.25", "39.25", "-39.25"),
    ("39.25 bn", "39.25", "39250000000"),
    ("39.25 billion", "39.25", "39250000000"),
    ("39.25 times two", "39.25", "worked out"),
    ("39.25 doubled", "39.25", "worked out"),
    ("double 39.25", "39.25", "worked out"),
    ("twice $39.25", "39.25", "worked out"),
    ("half of 39.25", "39.25", "worked out"),
    ("a third of **39.25**", "39.25", "worked out"),
    ("three times 39.25", "39.25", "worked out"),
    ("1/39.25", "39.25", "worked out"),
    ("480 squared", "480", "worked out"),
    ("480 and a half", "480", "worked out"),
    ("½ of 480", "480", "worked out"),
    ("It is rated 4.5 out of 5.", "5", "share"),
    ("1/2 of 480", "480", "worked out"),
    ("two thirds of 480", "480", "worked out"),
    ("480 max", "480", "bound"),
    ("480 days maximum", "480", "bound"),
    ("480 at most", "480", "bound"),
    ("480 days at the latest", "480", "bound"),
    ("from $480", "480", "bound"),
    ("It starts at $480", "480", "bound"),
    ("Rooms from $480", "480", "bound"),
    ("Great!\nFrom $480", "480", "bound"),
    ("Price: under $480", "480", "bound"),
    ("as low as $480", "480", "bound"),
    ("ab 480 €", "480", "bound"),
    ("à partir de 480 €", "480", "bound"),
    ("vanaf 480 euro", "480", "bound"),
    ("480 Tage höchstens", "480", "bound"),
    ("480 € und mehr", "480", "bound"),
    ("We don't charge $480.", "480", "denied"),
    ("You won't be charged $480.", "480", "denied"),
    ("It doesn't take 480 days", "480", "denied"),
    ("We can't offer 480%", "480", "denied"),
    ("not necessarily 480", "480", "denied"),
    ("There are no 480 rooms", "480", "denied"),
    ("There's no $480 fee.", "480", "denied"),
    ("without the $480 fee", "480", "denied"),
    ("no cuesta 480 €", "480", "denied"),
    ("No cobramos 480 €", "480", "denied"),
    ("Non addebitiamo 480 €", "480", "denied"),
    ("Vielleicht 480 €", "480", "left open"),
    ("peut-être 480 €", "480", "left open"),
    ("por ejemplo, 480 €", "480", "left open"),
    ("não custa 480 euros", "480", "denied"),
    ("$480 no longer applies", "480", "denied"),
    ("The $480 fee doesn't apply to you.", "480", "denied"),
    ("The $480 fee was waived", "480", "denied"),
    ("$480 is outdated", "480", "denied"),
    ("It may be 480", "480", "left open"),
    ("There might also be 480", "480", "left open"),
    ("10, maybe 480", "480", "left open"),
    ("Let's say 480", "480", "left open"),
    ("Assuming it is 480", "480", "left open"),
    ("e.g. $480", "480", "left open"),
    ("an amount such as 480", "480", "left open"),
    ("Formerly $480", "480", "before"),
    ("It costs 500, up from 480.", "480", "number in the answer is 500"),
    ("480 is the wrong price.", "480", "denied"),
    ("You said 480, but I don't know.", "480", "left open"),
    ("10% of 480", "480", "worked out"),
    ("ten percent of the 480", "480", "worked out"),
    ("480 plus tax", "480", "worked out"),
    ("$480 minus the discount", "480", "worked out"),
    ("$480 + shipping", "480", "worked out"),
    ("<480", "480", "bound"),
    (">480", "480", "bound"),
    ("x>480", "480", "bound"),
    ("It is >= 480", "480", "bound"),
    ("< 480", "480", "bound"),
    ("480+", "480", "bound"),
    ("480 or more", "480", "bound"),
    ("from 480 upwards", "480", "bound"),
    ("off by 39.25", "39.25", "far off"),
    ("$39.25 short of the total", "39.25", "far off"),
    ("39.25 dollars short of the total", "39.25", "far off"),
    ("480 is too low", "480", "far off"),
    ("480 too much", "480", "far off"),
    ("Neither 40 nor 39.25", "39.25", "denied"),
    ("Neither 40 nor 39.25", "40", "denied"),
    ("I would not say 39.25", "39.25", "denied"),
    ("I wouldn't say that it's 39.25", "39.25", "denied"),
    ("anything except 39.25", "39.25", "denied"),
    ("anything but 39.25", "39.25", "denied"),
    ("far from 39.25", "39.25", "denied"),
    ("It's hardly 39.25", "39.25", "denied"),
    ("I doubt that it is 39.25", "39.25", "denied"),
    ("It would be false to claim 39.25", "39.25", "denied"),
    ("~~39.25~~", "39.25", "struck out"),
    ("~~**$39.25**~~", "39.25", "struck out"),
    ("<del>39.25</del>", "39.25", "struck out"),
    ("I can't tell whether it is 39.25.", "39.25", "left open"),
    ("I don't know if it's 39.25.", "39.25", "left open"),
    ("Is it 39.25?", "39.25", "left open"),
    ("Did you mean **39.25** dollars?", "39.25", "left open"),
    ("39.25?", "39.25", "left open"),
    ("If it were 39.25 then", "39.25", "left open"),
    ("four hundred eighty-one (480)", "480", "words before"),
    ("HTTP 480", "480", "no number"),
    ("Error 480: cannot answer", "480", "no number"),
    ("Error code 480", "480", "no number"),
    ("(ref 480)", "480", "no number"),
    ("See page 480", "480", "no number"),
    ("See pages 479-480", "480", "no number"),
    ("Page 1 of 480", "480", "no number"),
    ("Rule 2: answer briefly", "2", "no number"),
    ("room 480", "480", "no number"),
    ("Room number **480**", "480", "no number"),
    ("ISBN 480", "480", "no number"),
    ("ISBN: 480", "480", "no number"),
    ("version 39.25", "39.25", "no number"),
    ("480p", "480", "no number"),
    ("480 BC", "480", "no number"),
    ("AD 480", "480", "no number"),
]


@each(("answer", "value", "why"), WRONG)
def test_a_wrong_answer_with_the_right_digits_fails_and_says_why(answer: str, value: str, why: str) -> None:
    finding = judge(answer, value)

    assert not finding.holds
    assert why in finding.reason


@each(("answer", "value"), [one[:2] for one in WRONG])
def test_no_way_to_take_numbers_lets_a_wrong_answer_pass(answer: str, value: str) -> None:
    assert [take for take in TAKES if judge(answer, value, take=take).holds] == []


@each(
    ("answer", "value"),
    [
        ("The price was reduced from $15 to $12.", "12"),
        ("You pay $39.25. We're open Mon–Fri 9–17.", "39.25"),
        ("You pay $39.25. Our hotline is open from 8 to 18.", "39.25"),
        ("You pay $39.25. Opening hours: 9 to 5.", "39.25"),
        ("You pay $39.25. Confirmation code: 482193", "39.25"),
        ("You pay $39.25. Fill in Form 1099.", "39.25"),
        ("You pay $39.25. See x.com/faq/12", "39.25"),
        ("You pay $39.25. It has USB 3.0.", "39.25"),
        ("You pay $39.25. It supports 5G.", "39.25"),
        ("You pay $39.25. It's a 401(k) plan.", "39.25"),
        ("The fee rose from 10 to 12.", "12"),
        ("It went up from 10% to 12% in May.", "12"),
        ("You can choose from 12 colours.", "12"),
        ("The tour starts with 12 people.", "12"),
        ("It starts at 9 am and costs $12.", "12"),
        ("There are 12 maximum-security doors.", "12"),
        ("There's no fee. The total is $12.", "12"),
        ("For example, 2 burgers cost $12.", "12"),
        ("You have 12 days from delivery.", "12"),
        ("You may be charged $12.", "12"),
        ("Your refund of **$45.00** will arrive within 5 business days.", "45"),
        ("We don't charge extra; you pay $12.", "12"),
        ("The maximum is $12 per day.", "12"),
        ("No, it is $12.", "12"),
        ("minus 39.25", "-39.25"),
        ("100 minus 60.75 is 39.25", "39.25"),
        ("Half of 78.50 is 39.25", "39.25"),
        ("10% of 392.50 is 39.25", "39.25"),
        ("He went 5 times.", "5"),
        ("480 square feet", "480"),
        ("≈480", "480"),
        ("about 480", "480"),
        ("nearly 480", "480"),
        ("480 or so", "480"),
        ("> 480", "480"),
        ("<td>480</td>", "480"),
        ('<span class="total" style="color: red">480</span>', "480"),
        ("=> 480", "480"),
        ("=>480", "480"),
        ("->480", "480"),
        ("<480>", "480"),
        ("The total is 39.25. Anything else?", "39.25"),
        ("The total is 39.25 – would you like a receipt?", "39.25"),
        ("How much is 23.75 + 15.50? 39.25", "39.25"),
        ("There is no doubt that it is 39.25", "39.25"),
        ("Without doubt 39.25", "39.25"),
        ("Your sum was wrong: it is 39.25", "39.25"),
        ("I'm not certain, but it is 39.25", "39.25"),
        ("If 2 people share the bill each pays 39.25", "39.25"),
        ("Whether or not you tip you pay 39.25", "39.25"),
        ("four hundred eighty (480)", "480"),
        ("one hundred and five (105)", "105"),
        ("a hundred (100)", "100"),
        ("two thousand three hundred (2,300)", "2300"),
        ("1.5 million (1,500,000)", "1500000"),
        ("thirty-nine point two five (39.25)", "39.25"),
        ("~~40~~ 39.25", "39.25"),
        ("39.25 (see page 4)", "39.25"),
        ("In step 2, 480 is the sum", "480"),
        ("Step 2: 480", "480"),
        ("Room 4 – 480", "480"),
        ("Room 480 EUR", "480"),
        ("50p", "50"),
        ("There is room for 12", "12"),
    ],
)
def test_words_that_leave_the_number_as_it_is_leave_it_so(answer: str, value: str) -> None:
    finding = judge(answer, value)

    assert finding.holds, finding.reason


@each(
    ("answer", "value"),
    [
        ("See【4:0†source】", "4"),
        ("See【4:0†source】", "0"),
        ("See【12:3†bill 39.pdf】", "39"),
        ("See [4:0†source]", "0"),
        ("See note[^39]", "39"),
        ("On 2026-11-23", "23"),
        ("On 2026-11-23T10:39:25Z", "25"),
        ("On 23/11/2026", "2026"),
        ("On 23.11.2026", "2026"),
        ("On 11-23-26", "26"),
        ("On November 23, 2026", "2026"),
        ("On 23 November 2026", "23"),
        ("On the 23rd of November", "23"),
        ("On Nov 3–5", "5"),
        ("In the 1990s", "1990"),
        ("At 10:39", "39"),
        ("At 10 pm", "10"),
        ("At 9a.m.", "9"),
        ("asked gpt-4", "4"),
        ("asked gpt-4.1", "4.1"),
        ("asked gpt-6-luna", "6"),
        ("COVID-19", "19"),
        ("flight A320", "320"),
        ("version v1.2.3", "3"),
        ("version 1.2.3", "3"),
        ("at 10.0.0.1", "1"),
        ("INV-2023-001", "1"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "446655440000"),
        ("file-4f3a9b12", "12"),
        ("hash 4f3a9", "9"),
        ("order #39", "39"),
        ("code 00739", "739"),
        ("call +1 555 123 4567", "4567"),
        ("call 555-123-4567", "4567"),
        ("the 3rd", "3"),
        ("the 21st", "21"),
        ("x_2", "2"),
        ("x^2", "2"),
        ("x_{2}", "2"),
        ("https://example.com/39.25", "39.25"),
        ("[bill](sandbox:/mnt/data/39.csv)", "39"),
        ("in /mnt/data/2024/39", "39"),
        ("1. Burger\n2. Soda", "2"),
        ("**1.** Burger\n**2.** Soda", "2"),
        ("1) Burger\n2) Soda\n3) Tea", "3"),
        ("5'11", "11"),
        ("9" * 41, "9" * 41),
    ],
)
@each("take", ["final", "first", "any"])
def test_digits_that_are_no_number_are_not_read(answer: str, value: str, take: str) -> None:
    value = value if len(value) < 40 else "9"

    assert not judge(answer, value, take=take).holds


def test_without_a_number_the_reason_says_so() -> None:
    finding = judge("I asked gpt-4 on 2026-11-23.", "39.25")

    assert finding.reason == "the answer gives no number"
    assert finding.found == "I asked gpt-4 on 2026-11-23."


def test_a_failed_check_shows_what_was_expected_and_found() -> None:
    finding = judge("Burger 23.75 and soda 15.50: you pay 39.25.", "39.26")

    assert (finding.expected, finding.found) == ("39.26", "39.25")
    assert finding.reason == "the final number in the answer is 39.25"


def test_a_number_in_an_unusual_form_is_shown_with_its_value() -> None:
    assert judge("(5.00)", "5").reason == "the final number in the answer is (5.00), read as -5"


@pytest.mark.parametrize("answer", ["39. That's for burger and soda.", "39) it is"])
def test_a_lone_number_at_the_start_of_a_line_is_no_list(answer: str) -> None:
    assert judge(answer, "39").holds


def test_numbers_in_a_list_are_read_beside_its_numbering() -> None:
    answer = "1. Burger 23.75\n2. Soda 15.50\n3. Total 39.25"

    assert judge(answer, "23.75", take="first").holds
    assert judge(answer, "39.25").holds
    assert not judge(answer, "3", take="any").holds


@pytest.mark.parametrize(
    "answer", ["The total is 40, not 39.25.", "You pay $40 instead of $39.25", "40 rather than 39.25"]
)
def test_a_number_denied_beside_the_one_given_leaves_that_one(answer: str) -> None:
    assert judge(answer, "40").holds
    assert not judge(answer, "39.25", take="any").holds


def test_a_denial_in_another_sentence_does_not_vouch_for_a_number() -> None:
    assert not judge("The tip was 40. The total is not 39.25.", "40").holds


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("Burger x 2 – 47.50", "47.50"), ("Table 2 - 39.25", "39.25"), ("100-60.75 = 39.25", "39.25")],
)
def test_a_dash_that_separates_makes_no_range(answer: str, expected: str) -> None:
    assert judge(answer, expected).holds


SPLIT = "Three rooms cost 3*48=$<<3*48=144>>144.\nEach of 12 guests pays 144/12=$<<144/12=12.0>>12.0\nA: 12"
SAVED = "They took 2,400,000-650,000=<<2400000-650000=1750000>>1,750,000\nA: 1,750,000"
GRADED = [
    (SPLIT, "12", True),
    (SPLIT, "144", False),
    (SPLIT, "48", False),
    (SAVED, "1750000", True),
    (SAVED, "2400000", False),
    ("Half of it is 7 * 1/2 = <<7*1/2=3.5>>3.5, and then he pays 7 * 1", "3.5", False),
]


@pytest.mark.parametrize(("answer", "value", "holds"), GRADED)
def test_worked_solutions_are_judged_by_their_last_number(answer: str, value: str, holds: bool) -> None:
    assert judge(answer, value).holds is holds


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("You asked what 39.25 dollars buy; I can't tell, I only see 3 items.", "39.25"),
        ("The receipt is number 39.25-A7; your total is 40.", "39.25"),
        ("139.25", "39.25"),
        ("39.255", "39.25"),
        ("39.25 million", "39.25"),
        ("39.25k", "39.25"),
        ("-39.25", "39.25"),
        ("(39.25)", "39.25"),
        ("39.25e1", "39.25"),
        ("39.25 × 10^2", "39.25"),
        ("39.25²", "39.25"),
        ("17/20", "17"),
        ("17/20", "20"),
        ("1.239.25", "39.25"),
        ("1 039.25", "39.25"),
        ("39.25 cents is what one costs, so 40", "39.25"),
        ("39 dollars and 25 cents", "25"),
        (r"\frac{1}{39}", "39"),
        ("39.25–45", "39.25"),
        ("sub-39.25", "39.25"),
    ],
)
def test_containing_the_digits_is_not_giving_the_number(answer: str, value: str) -> None:
    assert not judge(answer, value).holds


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("You might think it is 39.25, but that's wrong.", False),
        ("One could say 39.25 but this isn't right.", False),
        ("39.25. However, that is mistaken.", False),
        ("It's 39.25, but that is without the tip.", True),
        ("It's 2 × 39.25.", False),
        ("It's 2 x $39.25.", False),
        ("That is 2 × 39.25 = 78.50.", True),
        ("2 **39.25**", True),
        ("The total is over 39.25.", False),
        ("It's slightly under $39.25.", False),
        ("Spread over 39.25 days.", True),
    ],
)
def test_a_later_denial_an_unworked_product_and_a_bound_are_no_answer(answer: str, holds: bool) -> None:
    assert judge(answer, "39.25", take="any").holds is holds
