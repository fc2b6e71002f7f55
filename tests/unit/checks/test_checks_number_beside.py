"""What stands beside the digits decides the value: multipliers, units, marks, dates, brackets, in many languages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from each_case import each
from hypothesis import given, settings
from hypothesis import strategies as st
from number_judging import judge

from runner.checks import an_answer, numbers
from runner.checks.number import Check

TAKES = ["final", "only", "any", "all", "first"]
MULTIPLIED = {
    "12": "12千米|12千克|12 千瓦|12兆字节|12 (±0.5)",
    "144": "12 dozen|12 Dutzend|12 douzaines|12 docenas",
    "1200": "12 hundred|12百",
    "12000": "12 mille euros|12 grand|12k|12K|$12k|12 k€|12 тыс.|12 тыс. руб.|12 tysięcy|12 duizend|12 tusen|12"
    " Tausend|12 bin lira"
    "|12 हज़ार|12 ألف|12 thousand|12 Tsd. EUR|12 TEUR|12 mila euro|12 mil euros|R$ 12 mil|12 ribu|12천|12千"
    "|12-thousand|**12** thousand",
    "120000": "12万円|12万|12萬|12만 원|12만원|12万元|12万人です",
    "125000": "12万5千|12万5000円",
    "1200000": "12 lakh|12 lakhs|₹12 lakh|12 लाख|12 lakh rupees",
    "3200000": "3 million 200 thousand|3 Millionen 200 Tausend|3 million and 200 thousand",
    "12000000": "12 Millionen Euro|12 млн|12 millions d'euros|12 millones de euros|12 milhões de reais|12 milioni di"
    " euro|12 miljoen euro"
    "|12 milionów złotych|12 milyon lira|1200万|12 million|12 Mio. EUR|12M€|12 M€|$12 m|12 миллионов рублей|12 triệu"
    "|12 juta|12 ล้านบาท"
    "|1,200만 원|12 ملايين|€12 million|12 mln zł|EUR 12 Mio.|12 MEUR|12\nmillion|12 **million**",
    "12500000": "12.5 M€|€12.5M|12.5 million",
    "120000000": "12 crore|₹12 crore|₹12 Cr|12 करोड़|1.2億|1.2亿|1.2억",
    "320000000": "3億2,000万円|3億2000万円|3억 2000만원",
    "12000000000": "12 Milliarden|12 milliards|12 billion|12 mil millones|12 miljard|12 млрд|$12bn|12 Mrd. €|12"
    " miliardi|12 bilhões"
    "|12 miliardów|12 milyar|12 مليار|12 Md€|$12B|12 mia. kr.",
}
MULTIPLIERS = (
    "Millionen million milioni miljoen млн 万 億 萬 亿 만 억 천 千 百 k K M B M€ bn Mn MM kk Mio. Mrd. Md€ mille"
    " grand thousand hundred dozen Dutzend "
    "lakh crore cr लाख करोड़ हज़ार тыс. тысяч миллионов milhões millones milyon milyar bin mil mil. mill. mila"
    " milliards Milliarden billion billions "
    "trillion billones bilhões mld tys. mln tis. tusen ribu juta triệu tỷ ล้าน พัน ألف مليون ملايين מיליון هزار میلیون"
    " G€ T€ k€ TEUR kUSD MUSD lac bi "
    "tn Tsd εκατομμύρια χιλιάδες mii milioane ezer millió milijuna tisuća mlrd. millioner milliarder 百万 千万 兆 조"
    " кк тыщ лям quadrillion score gross miljoonaa millió tkr mkr MSEK eFt"
    " centaines thou মিলিয়ন లక్షలు லட்சம் ലക്ഷം بليون تريليون"
).split()
JOINED = ["39xyz", "39abc", "39-A7", "39甲乙", "39ffff", "A39", "x39", "39th", "39@x", "39q", "12_39"]
ONE_OR_TWO = (
    "12 € 50|12 euros 50|12 EUR 50|12 Euro 50|12 h 50|12m50|12 m 50|12,50|12 virgule 50|12 Komma 50|12 point 50"
    "|12·50|12،50|12_50|12'50|12′50"
).split("|")
COMPOUNDS = (
    "2 hours and 15 minutes|2 hours, 15 minutes|2 Stunden und 15 Minuten|2 Std. 15 Min.|2 heures et 15 minutes|2"
    " heures 15|2 h 15 min|2h15m|2h15|2 h 15"
    "|2 часа 15 минут|2時間15分|2시간 15분|2小时15分钟|2 horas y 15 minutos|2 ore e 15 minuti|2 uur en 15 minuten|2"
    " godziny 15 minut|2 saat 15 dakika"
    "|2 घंटे 15 मिनट|2 kg 15 g|2 ft 15 in|2'15\"|2 feet 15|2 years, 15 months|2 pounds 15 ounces|**2 hours** and **15"
    " minutes**|2 ساعات و 15 دقيقة"
    "|2 hrs 15 mins|2 hours plus 15 minutes|2 m 15 cm"
    "|two hours and 15 minutes|about an hour and 15 minutes|Two dollars, 15 cents"
    "|Thirty-two dollars and 15 cents ($32.15)|twenty-two pounds 15 ounces"
).split("|")
PARTS = "3/4|3 quarters|3 fourths|2-3/4|2 and 3/4|3 out of 4|3 in 4|3 von 4|3 sur 4|2+3/4".split("|")
HALVES = "2 and a half hours|2½ hours|2 1/2|2-1/2|2時間半|2 heures et demie|2 Stunden und eine halbe|2个半小时"
OF_A_KIND = {  # text, and a unit that it has not
    "km": "12 km/h|12 km per hour|12 kilometers per hour|12 km²|12 kilometres à l'heure|12 Kilometer pro Stunde|12"
    " km/Std.",
    "m": "12 m²|12 m^2|12 square metres|12 m/s",
    "hours": "12 hours a week|12 hours/week|12 Stunden pro Woche",
    "%": "12 percentage points|12‰|12 %-Punkte|12 Prozentpunkte|12 bps|12 pp",
    "feet": "12 cubic feet|12 ft-lb",
    "l": "12 l/100km|12 l/100 km",
}
NOT_US_DOLLARS = (
    "$12.50 CAD|C$12.50|12.50 Canadian dollars|Canadian $12.50|CAD $12.50|$12.50 (CAD)|$12.50/h|$12.50 per hour"
    "|12.50 HK$|12.50 dollars canadiens"
    "|12.50 australische Dollar|A$12.50|US$12.50 CAD|$12.50 Canadian|NZ$12.50|12.50 New Zealand dollars|12.50"
    " канадских долларов|12.50 加元"
).split("|")
WITH_UNIT = [
    ("12 business days", "12", "days"), ("12 business days", "12", "business days"),
    ("$12 per night", "12", "USD/night"),
    ("12 km/h", "12", "km/h"), ("12 km per hour", "12", "km/h"),
    ("$12.50 CAD", "12.50", "CAD"), ("$12.50 per person", "12.50", "USD"),
    ("12 Stunden", "12", "hours"),
    ("12.5km", "12.5", "km"), ("12.50 €", "12.50", "EUR"), ("12%", "12", "%"), ("12 Prozent", "12", "%"),
    ("12 m²", "12", "m²"), ("12 square meters", "12", "m²"),
    ("12.50 US dollars", "12.50", "USD"), ("1200円", "1200", "JPY"), ("12 GB", "12", "GB"),
]  # fmt: skip
MARKS = (
    "[1]| [1]|¹| ¹| ²|[1][2]| [1], [2]| [1, 2]| [1-3]|[^1]|【4:0†source】|<sup>1</sup>|<sup>[1]</sup>|*|†|†1|"
    "<sup>+</sup>| [source 1]| [1†source]| ([1](https://e.org/12))"
    "| [[1]](http://x.y/3)|\n\n[1] receipt.pdf|\n[1]: receipt.pdf|\n\n1. receipt.pdf|\n\nSource: [1]| (page 3)| (p."
    " 3)| ^[1]| ^1^| &#91;1&#93;|.[1]| 1️⃣| ①"
    "| <!-- 12 -->| <img width=12>| \\cite{ref12}| (Source 1)| 【1】| :contentReference[oaicite:1]{index=1}"
).split("|")
DATES = (
    " (UTC+1)| (GMT-5)| in 2025| in Q3 2025| am 4. März 2025| on 04-Mar-2025| 24/7| (2025)| since 2025| as of"
    " 2025-03-04| (as of March 4, 2025)| on 4 March"
    "| le 4 mars 2025| el 4 de marzo de 2025| em 4 de março de 2025| il 4 marzo 2025| op 4 maart 2025| 4 марта 2025"
    " года| 4 marca 2025| 4 Mart 2025"
    "| 2025年3月4日| 2025년 3월 4일| 4 मार्च 2025| ٤ مارس ٢٠٢٥| at 10:30| at 10 am| um 10 Uhr| à 10h30| 10時30分|"
    " FY2025| FY 2025| (FY25)| 3Q25| Q3'25"
    "| 2025Q3| im Jahr 2025| en 2025| em 2025| nel 2025| в 2025 году| w 2025 roku| 2025年| 2025년| Mar 4th| (Mar-25)"
    "| 04.03.2025| 4. 3. 2025| 03/2025"
    "| in the 1990s| on the 3rd| as of 2024/25| 2024-25| © 2025| on Dec. 24| 24 dicembre| 3 de mayo| ngày 4 tháng 3"
    " năm 2025| by 2025| until 2025| for 2025"
    "| summer 2025| KW 12| (week 12)| 2025-W12| a las 15:30| 下午3点| 令和7年| 3月4日"
).split("|")
NAMES = (
    " for order #12| (order no. 12)| (Nr. 12)| (n° 12)| (invoice 4711)| from receipt 12.pdf| via a12@b3.com|"
    " https://e.org/12| version 1.2.3| (v2.1)"
    "| (Section 3.2)| § 12| on page 12| Tel. +49 30 1234567| call 555-123-4567| (ID 12)| (Fig. 2)| (Table 2)| (Step"
    " 2)| (3rd floor)"
).split("|")
SENTENCES = (
    "The total is {}.|You pay **{}**|It's ${}.|{} EUR|Es sind {} Euro.|C'est {} €.|Son {} euros.|São {} reais.|Sono"
    " {} euro.|Het is {} euro.|Это {} рублей."
    "|To {} zł.|Toplam {} TL.|总共{}元。|合計は{}円です。|총 {}원입니다.|कुल {} रुपये है।|المجموع {} دولار|`{}`"
    "|<b>{}</b>|_{}_|> {}|{}!|{} 🎉|{}🎉|{}。|≈ {}|{} each|{} (rounded)"
).split("|")
NOT_THE_NUMBER = (
    "{}-40|{}–40|{} bis 40|{} to 40|{} à 40|{} a 40|{} o 40|{} ou 40|{} oder 40|{}〜40|{}至40|{}到40|{}から40|{} до"
    " 40|{} или 40|{} veya 40|{} से 40|{} إلى 40"
    "|zwischen {} und 40|entre {} et 40|entre {} y 40|tra {} e 40|{}...40|{}…40|{} EUR bis 40 EUR|{} km to 40 km|{}"
    " hasta 40"
    "|mindestens {}|höchstens {}|mehr als {}|au moins {}|plus de {}|más de {}|al menos {}|mais de {}|almeno {}|più"
    " di {}|больше {}|не менее {}|co najmniej {}"
    "|en az {}|超过{}|至少{}|{}以上|{}人以上|{} 이상|{}명 이상|최소 {}|{} से अधिक|أكثر من {}|minstens {}|{}多|{} oder"
    " mehr|{} ou plus|{} o más"
    "|nicht {}|pas {}|no es {}|não é {}|non è {}|niet {}|не {}|{} değil|不是{}|{}ではありません|{}이 아닙니다|{} नहीं"
    "|ليس {}"
).split("|")
GIVEN = (
    "You pay **$39.25** ($23.75 for the burger plus $15.50 for the soda)|39.25 EUR (incl. 19% VAT)|Your total is"
    " $39.25. Shall I split it between 2 people?"
    "|Your total is **$39.25** for 2 people.|**$39.25** each for 17 people.|The answer is \\boxed{39.25}. This uses"
    " 2 items.|\\boxed{39.25}\n\nCheck: 23.75 + 15.50"
    "|Your total is $39.25. Let me know if you want to split it between 2 people.|The total comes to 39.25 (2"
    " items).|Ihr Betrag: 39.25 EUR. Soll ich ihn auf 2"
    " Personen aufteilen?|Total : 39.25 €. Voulez-vous le partager entre 2 personnes ?|Total: $39.25 ¿Quieres"
    " dividirlo entre 2 personas?"
    "|合計は39.25ドルです。2人で割りますか？|The total is <b>$39.25</b> for 2 people|The total is **39.25**,"
    " including 19% VAT|Total: **39.25** of which 6.27 is VAT"
    "|For **17** people, each pays $39.25.|Total = 39.25 (= 23.75 + 15.50)|It costs $39.25 (about 36 EUR).|You pay"
    " $39.25.\n\nShall I split it between 2 people?"
    "|**Total: $39.25**\n\n*(Burger $23.75 + soda $15.50)*|Total: 39.25 EUR (source: bill 12.pdf)"
).split("|")


@each(("answer", "value"), [(one, value) for value, all_ in MULTIPLIED.items() for one in all_.split("|")])
def test_a_known_multiplier_multiplies(answer: str, value: str) -> None:
    finding = judge(answer, value)

    assert finding.holds, finding.reason


@each("word", MULTIPLIERS)
def test_no_multiplier_leaves_the_digits_as_they_are(word: str) -> None:
    frames = ("12 {}", "12{}", "12 {} Euro", "12-{}", "12\u00a0{}", "**12 {}**", "$12 {} in all", "**12** {}")
    assert [frame for frame in frames if judge(frame.format(word), "12").holds] == []


@pytest.mark.parametrize("answer", JOINED)
def test_unknown_text_joined_to_the_digits_makes_them_doubtful(answer: str) -> None:
    assert [take for take in TAKES if judge(answer, "39", take=take).holds] == []


@pytest.mark.parametrize(
    "answer", ["12€50", "12$50", "12£50", "EUR 12.50", "12.50€", "12.50 zł", "12.50元", "Rs. 12.50", "12.50ドル"]
)
def test_a_currency_stands_before_behind_or_between(answer: str) -> None:
    assert judge(answer, "12.50").holds


@pytest.mark.parametrize("answer", ONE_OR_TWO)
@pytest.mark.parametrize("value", ["12", "50"])
def test_digits_that_may_be_the_cents_are_doubtful(answer: str, value: str) -> None:
    assert not judge(answer, value).holds


@pytest.mark.parametrize("answer", ["1_000_000", "1'000'000", "1\u202f000\u202f000", "10,00,000"])
def test_groups_of_digits_are_one_number(answer: str) -> None:
    assert judge(answer, "1000000").holds
    assert not judge(answer, "1", take="any").holds


@each("answer", COMPOUNDS)
@each("value", ["2", "15"])
def test_no_part_of_a_quantity_in_two_units_passes(answer: str, value: str) -> None:
    assert not judge(answer, value).holds


@pytest.mark.parametrize(
    "answer",
    [
        "It takes two days and costs 15 euros.",
        "There is an hour for it; 15 minutes are enough.",
        "one hour and 15 hours",
    ],
)
def test_words_for_another_quantity_leave_the_number_alone(answer: str) -> None:
    assert judge(answer, "15").holds


@pytest.mark.parametrize("answer", PARTS)
@pytest.mark.parametrize("value", ["2", "3", "4"])
def test_no_part_of_a_fraction_passes(answer: str, value: str) -> None:
    assert not judge(answer, value).holds


@pytest.mark.parametrize("answer", HALVES.split("|"))
def test_a_half_behind_a_number_is_not_left_out(answer: str) -> None:
    assert not judge(answer, "2").holds


@pytest.mark.parametrize(
    ("answer", "unit"), [(one, unit) for unit, all_ in OF_A_KIND.items() for one in all_.split("|")]
)
def test_a_rate_an_area_and_a_point_are_other_units(answer: str, unit: str) -> None:
    assert not judge(answer, "12", unit=unit).holds


@pytest.mark.parametrize("answer", NOT_US_DOLLARS)
def test_another_dollar_and_a_rate_are_no_dollars(answer: str) -> None:
    assert not judge(answer, "12.50", unit="USD").holds


@pytest.mark.parametrize(("answer", "value", "unit"), WITH_UNIT)
def test_a_unit_is_the_same_in_every_spelling(answer: str, value: str, unit: str) -> None:
    finding = judge(answer, value, unit=unit)

    assert finding.holds, finding.reason


@each("mark", [*MARKS, *DATES, *NAMES])
def test_digits_behind_the_number_that_are_none_change_nothing(mark: str) -> None:
    for frame in ("39.25{}", "You pay 39.25 EUR{}", "The total is $39.25{}."):
        finding = judge(frame.replace("{}", mark), "39.25")

        assert finding.holds, (frame, finding.reason)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_number_is_read_in_the_sentences_of_many_languages(sentence: str) -> None:
    finding = judge(sentence.format("39.25"), "39.25")

    assert finding.holds, finding.reason


@each("sentence", NOT_THE_NUMBER)
def test_ranges_bounds_and_denials_are_seen_in_many_languages(sentence: str) -> None:
    assert not judge(sentence.format("39"), "39").holds
    assert not judge(sentence.format("39"), "40").holds


@pytest.mark.parametrize("answer", GIVEN)
def test_the_final_number_is_the_one_that_the_answer_gives(answer: str) -> None:
    finding = judge(answer, "39.25")

    assert finding.holds, finding.reason


@pytest.mark.parametrize(
    "answer",
    "You pay $39.25 for the 2 burgers.|30 + 9.25 = 39.25 miles in 7 hours.|$59.25 - $20 = $39.25 if you buy 2 of 4."
    "|So 40 - 0.75 = 39.25 quarts are left out of the 64.|He needs 30+9.25=39.25 ounces to make 8 cakes and 1 pie."
    "|She got 30 + 9.25 = 39.25 M&Ms|It is $39.25 in change after 2 years.|39.25 kgs|39.25kgs|39.25 quarts of milk"
    "|$39.25 each for 17 people|You save $39.25 with 2 coupons|You pay $39.25 in total for the 2 items."
    "|It costs $39.25 per night for 2 adults.|It's $39.25. Would you like to split it between 2 or 4 people?"
    "|You pay $39.25: $23.75 for the burger and $15.50 for the soda.|$39.25 for a burger ($23.75) and a soda ($15.50)."
    "|You'd pay $39.25 — the burger is $23.75 and the soda $15.50.|39.25 °C (102.65 °F)|39.25 € ($42.10)".split("|"),
)
def test_what_only_qualifies_a_result_is_not_the_answer(answer: str) -> None:
    assert judge(answer, "39.25").holds
    assert not any(judge(answer, other).holds for other in ("2", "4", "7", "64", "8", "1"))


@pytest.mark.parametrize(
    ("answer", "units"),
    [
        ("12 apples in 3 baskets", ("apples", "baskets")),
        ("He reads 12 books in 3 days.", ("books", "days")),
        ("12 seats for 3 groups", ("seats", "groups")),
    ],
)
def test_of_two_counts_in_one_phrase_none_passes_without_its_unit(answer: str, units: tuple[str, str]) -> None:
    for value, unit in zip(("12", "3"), units, strict=True):
        assert not judge(answer, value).holds
        assert judge(answer, value, unit=unit).holds


def test_another_amount_with_tax_is_not_part_of_the_one_without() -> None:
    assert not judge("You'd pay $39.25 without tax and $42.78 with tax.", "39.25").holds


def test_a_price_in_brackets_behind_a_name_is_no_minus_but_behind_a_loss() -> None:
    both = numbers.Check(values=[Decimal("23.75"), Decimal("15.50")])

    assert both.judge(an_answer("burger ($23.75), soda ($15.50)")).holds
    assert not both.judge(an_answer("net loss ($23.75), soda ($15.50)")).holds


@pytest.mark.parametrize(
    "answer",
    "3 + 4 = 7 apples, so he gives 12|He had 7 = 3 + 4, and gets 12 of them|With $20 in your wallet you can buy 12."
    "|$20 for snacks buys 12|For $20 you get 12 burgers.|At $3 each you could buy 12 of them."
    "|You have $20, enough for lunch: 12".split("|"),
)
def test_a_later_statement_is_the_answer(answer: str) -> None:
    assert judge(answer, "12").holds


@pytest.mark.parametrize("answer", "x = \u00b112|\u00b112|12G|5G 12G|RFC 12|ISO 12".split("|"))
def test_either_sign_a_networks_name_and_a_norms_are_no_number(answer: str) -> None:
    assert not judge(answer, "12").holds


@pytest.mark.parametrize(
    "answer",
    "Es sind 39.25, nicht 15.|C'est 39.25, pas 15.|39.25 € au lieu de 15 €|Son 39.25, no 15.|Son 39.25 y no 15."
    "|São 39.25, não 15.|Sono 39.25, non 15.|39.25 euro invece di 15|Het is 39.25, niet 15.|39.25, а не 15".split("|"),
)
def test_a_number_that_is_set_off_in_any_language_is_not_the_answer(answer: str) -> None:
    assert judge(answer, "39.25").holds
    assert not judge(answer, "15").holds


@pytest.mark.parametrize(
    "answer",
    "Total: $39.25, including $1.20 tip|Total: $39.25, of which $1.20 is tip|Your total is $39.25, including a 20% tip."
    "|It comes to $39.25 after the 10% discount.|That is $39.25 with a 20% tip.|It comes to $39.25 after a $3 discount."
    "|Das macht 39.25 EUR inkl. 2 EUR Trinkgeld.|39.25 EUR nach 20% Rabatt|39.25 € après une remise de 20 %".split("|"),
)
def test_a_share_that_is_within_the_amount_before_it_is_not_the_answer(answer: str) -> None:
    finding = judge(answer, "39.25")

    assert finding.holds, finding.reason


@pytest.mark.parametrize("answer", ["S/.12.50", "S/ 12.50", "..12.50"])
def test_a_point_before_the_digits_hides_none_of_them(answer: str) -> None:
    assert judge(answer, "12.50").holds
    assert not judge(answer, "50").holds


@pytest.mark.parametrize(
    "answer", ["You might think **40**, but it's 39.25.", "I think 40. Or is it 39.25?", "Is it 39.25 or 40?"]
)
def test_what_is_emphasised_and_taken_back_is_not_the_answer(answer: str) -> None:
    assert not judge(answer, "40").holds


@pytest.mark.parametrize(
    "answer", ["(42)", "Answer: (42)", "C (42)", "The answer is (42).", "**(42)**", "[42]", "Answer: [42]"]
)
def test_brackets_without_an_amounts_shape_are_no_minus(answer: str) -> None:
    assert judge(answer, "42").holds
    assert not judge(answer, "-42").holds


@pytest.mark.parametrize(
    "answer", ["moins 5", "menos 5", "meno 5", "минус 5", "负5", "マイナス5", "($5.00)", "Net: (EUR 5.00)", "−5 €"]
)
def test_a_minus_is_seen_in_many_languages(answer: str) -> None:
    assert judge(answer, "-5").holds
    assert not judge(answer, "5").holds


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("39{,}25", "39.25"), ("$39{,}25$", "39.25"), (r"$39{,}25\,€$", "39.25"),
        (r"\boxed{39{,}25}", "39.25"), (r"\num{39.25}", "39.25"),
        (r"1\,234{,}50", "1234.50"), (r"1{.}234{,}50", "1234.50"),
        (r"1\ 234{,}50", "1234.50"), (r"1,\!234.50", "1234.50"),
    ],
)  # fmt: skip
def test_latex_decimal_commas_and_groups_are_read(answer: str, value: str) -> None:
    assert judge(answer, value).holds
    assert not judge(answer, value[-2:]).holds


@pytest.mark.parametrize(
    "share",
    ["12%", "12 Prozent", "12 pour cent", "12 por ciento", "12 процентов", "%12", "百分之12", "12퍼센트", "12 प्रतिशत"],
)
def test_a_percentage_is_a_share_in_many_languages(share: str) -> None:
    assert judge(share, "12").holds
    assert judge(share, "0.12").holds


@pytest.mark.parametrize("answer", ["12‰", "12 percentage points", "12 bps"])
def test_what_is_no_percentage_is_no_share(answer: str) -> None:
    assert not judge(answer, "0.12").holds


@pytest.mark.parametrize(
    ("answer", "holds"), [("3.4", False), ("3.04", False), ("2.6", False), ("3.0", True), ("3", True)]
)
def test_a_whole_number_accepts_only_itself(answer: str, holds: bool) -> None:
    assert judge(answer, "3").holds is holds


@pytest.mark.parametrize("answer", ["18.000 Euro", "18.000 €", "R$ 18.000", "18.000 TL", "18.000 руб."])
def test_a_point_before_three_digits_is_doubtful_where_money_has_commas(answer: str) -> None:
    assert not judge(answer, "18").holds
    assert judge(answer, "18000", decimal=",").holds


HELP_DESK = (
    "It is not more than you'd think: it costs 18.|I checked; nothing wrong: the total is 18.|Last year's tariff no "
    "longer applies. You pay 18.|I don't know your name, but the price is 18.|If you cancel, 18 is refunded.|up from "
    "15, it is now 18|You asked about the fee. It is 18.|It costs 18.|The price is 18.|You pay 18 in total.|The fee is "
    "18 euros.|It went up from 15 to 18.|Last year it was 15; now it is 18.|Last year you paid 15. This year it's 18."
    "|It used to be 15, but now it's 18.|Your bill last month was 18.|Last month you paid 18.|You paid 18 last year."
    "|In March it was 18.|You said 18.|You told me that your lucky number is 18.|As you said, it is 18.|You said 18, "
    "and that's right.|You asked about the price for children: 18.|I don't know the name, but it is 18.|I'm not sure "
    "about tax, but the net price is 18.|The price is 18. I don't know whether breakfast is included.|The price is 18. "
    "I can't tell you more about the room.|It is 18. I have no idea why it rose.|The fee is 18. I'm not sure about the "
    "tax.|The old fee was cancelled. The new one is 18.|18 flights were cancelled.|18 bookings have been cancelled."
    "|After the cancellation you get 18 back.|The order was cancelled and 18 was refunded.|The tour was cancelled, so "
    "you get 18.|Nobody has to pay more: it's 18.|Nobody else applied, so the fee is 18.|No one under 12 pays; adults "
    "pay 18.|Nothing has changed: the fee is 18.|No, it's 18.|No problem. The total is 18.|No hidden fees: 18.|No "
    "deposit is due. The room costs 18.|There is no surcharge, so you pay 18.|I found no discount. It stays at 18.|The "
    "wrong price was shown; it is 18.|The price on the page is wrong: it should be 18.|The price shown was incorrect. "
    "You pay 18.|That was wrong: 18.|Your sum was wrong, it is 18.|20 is incorrect. The right price is 18.|20 is "
    "wrong; it's 18.|Sorry, my mistake: 18.|Correction: 18.|18, correct.|18, as promised.|18 (correct)|18 (confirmed)"
    "|18, no more and no less.|18: no hidden costs.|18 - nothing else to pay.|18, and no further fees.|18, wrong "
    "answers aside.|18 is right.|18 is the price.|18 is the right price.|18 is not refundable.|The 18 are not "
    "refundable.|18 is the new price.|18 is the current rate.|18 is your remaining balance.|18 is due on Friday.|The "
    "$18 fee is due at check-in.|The $18 fee is charged once.|The $18 deposit has been received.|The $18 fee has been "
    "paid.|The $18 payment was received on Monday.|You will be refunded $18.|You were charged $18.|We have refunded 18 "
    "to your card.|The cheaper plan is gone; the other costs 18.|Prices changed. It's 18.|The rate rose and is 18.|The "
    "price fell to 18.|It is down to 18.|It is up to you; the price is 18.|It comes to 18.|The new total is 18.|The "
    "remaining balance is 18.|I can confirm that it is 18.|I can tell you that it is 18.|I can't find your booking, "
    "but the fee is 18.|I can't tell you the name, but it costs 18.|I can't say who booked; the total is 18.|I "
    "couldn't reach the hotel, but the list price is 18.|We don't know when, but it costs 18.|Surely it is 18.|Surely "
    "everybody pays 18.|Everybody pays 18.|Every guest pays 18.|None of the extras are included. You pay 18.|None left "
    "for today; tomorrow a ticket is 18.|Nothing to worry about: 18.|Not to worry, it's 18.|It isn't free. It costs 18."
    "|It isn't included, it costs 18.|It's not a mistake: it's 18.|You're right, it's 18.|You asked whether tax is "
    "included: yes, you pay 18.|You wanted to know the price. It's 18.|You mentioned a voucher, so you pay 18.|You "
    "have 18 days left.|You have 18 loyalty points.|We have 18 rooms.|There are 18 seats left.|It takes 18 minutes."
    "|Delivery takes 18 days.|It lasts 18 hours.|The pool is 18 metres long.|You must be 18.|Nobody under 18 may enter."
    "|Booking is free before noon, then it costs 18.|Before tax it is 18.|The previous fee no longer applies; the fee "
    "is 18.|The original price was too high, so now it's 18.|Es kostet 18 Euro.|Letztes Jahr waren es 15, jetzt sind "
    "es 18.|Nichts zu zahlen ist falsch: es sind 18.|Das kostet nicht viel: 18 Euro.|Le prix est de 18 euros.|L'année "
    "dernière c'était 15, maintenant c'est 18.|El precio es 18.|El año pasado eran 15; ahora son 18.|Il prezzo è 18."
    "|De prijs is 18 euro.|Information about 18 cities is on our site.|You can pick it up from 18 shops.|It is made up "
    "from 18 parts.|You pay 18 once.|We have 18 machines used to print.|There are 18 things we don't know.|18 offers "
    "have ended.|18 charges were removed.|Your plan costs 15. Last month you paid 18.|I can't promise you a window "
    "seat: 18 are left.|No one is sure about the date. The price is 18.|I can't tell you why, but your balance is 18."
    "|Nothing was booked today; 18 were booked before.|Your card ends today. You have 18 days.|Thanks for your "
    "patience! The monthly fee is $18.|We're sorry, there are no discounts at the moment; the monthly fee is $18.|We "
    "no longer offer the basic plan. The standard plan is $18 per month.|The plan is $18 per month; you can cancel at "
    "any time.|Your plan was $15 until June, and is $18 from July.|Your plan used to cost 15, now it costs 18.|Prices "
    "rose last year; a ticket costs 18.|Earlier you asked for the price. A ticket is 18.|Before you book: a ticket "
    "costs 18.|Until now you had no plan; the cheapest costs 18.|It's not included in your plan, so there is a fee of "
    "18.|You haven't been charged yet. You will be charged 18.|I wasn't able to apply the code. The total is 18.|I "
    "can't apply the code, so the total is 18.|I cannot change that: the fee is 18.|I can't promise a seat, but 18 are "
    "free.|I won't charge you twice; the total is 18.|We can't say yet when it ships, but shipping costs 18.|Nobody "
    "answered the phone, but the website says 18.|No one is left out: all 18 get one.|Nothing else is due after you "
    "paid 18.|Nothing is due today. On Friday it's 18.|None of the rooms is free today; 18 are free tomorrow.|No "
    "change is needed. You have 18.|No card is needed; the price is 18.|No tax is added: 18.|I see no error. 18 is "
    "right.|It says 15 in the brochure, which is outdated; it is 18.|It said 15, but that's wrong: 18.|Incorrect "
    "bookings are free; others cost 18.|The wrong card was charged 18.|If something is wrong, call us. The price is 18."
    "|You paid 18 for the old plan.|The old price was 15, the new price is 18.|Compared to last year it is cheaper: 18."
    "|Compared with others, 18 is cheap.|It's cheaper than last year, 18.|The fee of 15 was cancelled and replaced "
    "with 18.|Your 15 discount has expired, so you pay 18.|Because the offer ended, the price is 18.|It costs 18, not "
    "20.|It costs 18 instead of 20.|It is 18, down from 20.|It is 18, up from 15.|It costs 18. Last year it was 15.|It "
    "is 18 now; it was 20 before.|It costs 18, compared to 20 last year.|The price is 18. Previously it was 20.|The "
    "total is 18. Is anything wrong?|The total is 18. I'm not sure what else to say.|The total is 18. I don't know of "
    "any other fees.|The total is 18. I can't say if that will change.|The total is 18. Nobody else has access.|The "
    "price is 18. No, you don't pay tax.|18. No, tax isn't added.|18 is what you pay. No more.|18 minutes, no delay."
    "|18 euros, false alarms aside.|18 (no tax)|18 (not 20)|18, not included: breakfast.|18 - no booking fee|The $18 "
    "fee covers delivery.|The $18 plan includes calls.|The $18 fee was added to your bill.|The $18 charge was approved."
    "|The $18 plan is still available.|The $18 price is valid until May.|Your $18 deposit has been returned.|Around "
    "noon we charge 18.|The tour around the lake costs 18.|Information about prices: 18.|It is all about price: 18."
    "|Almost everybody pays 18.|Close to the station a room is 18.|You have more or less everything; the total is 18."
    "|The order of 18 has shipped.|There are 18 of them.|The minimum age is 18.|Today it's 15, and tomorrow it will be "
    "18.|It's 15 today. Next year it will be 18.|It is 15 for children; for adults it's 18.|The bill is 40; he paid 18."
    "|The bill is 40. You paid 18 already, so you owe 22. Your share was 18.|Today we sold 12. Yesterday it was 18.|Es "
    "sind nicht 20, sondern 18 Euro.|Niemand muss warten, es kostet 18 Euro.|Früher waren es 15, heute 18.|Rund um die "
    "Uhr: 18 Euro.|Personne n'est venu, le prix est 18 euros.|Nadie vino; cuesta 18 euros.|Antes eran 15 y ahora son "
    "18."
)
"""Answers of a help desk that give 18, each with a word that elsewhere takes a number back."""
NOT_STOOD_BY = (
    "It costs 20, up from 18.|It costs 20. Last year it was 18.|18 is the wrong price.|Surely nobody pays 18.|18, "
    "incorrect|20, incorrect: 18|You asked about 18. I have no idea.|I can't tell you that it is 18.|You said 18, "
    "but I don't know.|The $18 fee has been cancelled.|It costs 20, down from 18.|It's 20 now; it was 18 last year."
    "|It is 20 today. Previously it cost 18.|It costs 20, compared to 18 last year.|It costs 20. Before that, the "
    "price was 18.|The fee is 20. Until May it was 18.|18 is the old price.|18 was the old price.|18 isn't the price."
    "|18 is no longer the price.|18 (wrong)|18 (incorrect)|18: wrong.|18 - false|18? No.|Wrong price: 18|Incorrect: "
    "18|No one pays 18.|No room costs 18.|None of our rooms cost 18.|Nothing costs 18.|Nobody is charged 18.|I can't "
    "promise you that it is 18.|I cannot say that it's 18.|We can't guarantee it is 18.|18, but I'm not sure.|18. I "
    "don't know.|I think you mentioned 18, but I have no idea.|The $18 fee has been abolished.|The $18 charge was "
    "dropped.|The $18 rate has expired.|The $18 offer is not valid.|The $18 discount has ended.|Es kostet 20. "
    "Letztes Jahr waren es 18.|Niemand zahlt 18.|Personne ne paie 18.|Nadie paga 18.|18 ist der falsche Preis.|18 "
    "(falsch)|18 (faux)|Es kostet 20, gegenüber 18 im Vorjahr.|Nobody has ever paid 18.|No customer pays 18.|No such "
    "ticket costs 18.|You would never pay 18.|You're wrong, it isn't 18.|18 would be wrong.|18 isn't right.|18 is "
    "simply wrong.|18 was a mistake.|18 is a mistake.|18 is an error.|18 is a typo.|18 is last year's price.|18 is "
    "outdated.|18 used to be the price.|18 was correct last year, now it's more.|The price was 18, but not anymore."
    "|It was 18, but not any more.|It was 18 until May; now it costs more.|The price once was 18.|It rose from 18."
    "|It has gone up from 18.|It's 20 instead of 18.|It's 20 rather than 18.|It costs 20; before it was 18.|It costs "
    "20; a year ago it was 18.|I'm not sure it's 18.|I doubt it's 18.|I don't think it's 18.|I have no idea if it's "
    "18.|I can't confirm that it's 18.|I couldn't say that it's 18.|I'm unable to tell you if it is 18.|I won't say "
    "it's 18.|You claim it's 18, but I can't verify that.|You mentioned 18. I can't confirm that.|18? I don't know."
    "|The $18 fee no longer exists.|The $18 fee is gone.|The $18 fee has been waived.|The $18 fee was scrapped last "
    "year.|We no longer charge the $18 fee.|There used to be an $18 fee.|18: incorrect|18 → wrong|18 ❌|✗ 18|False: 18"
    '|Not true: 18|The answer 18 is wrong.|The answer "18" is incorrect.|Your answer of 18 is incorrect.|It\'s false '
    "that it costs 18.|It is not true that it costs 18."
)


@each(
    "answer",
    "18|18 eggs|18人|18个鸡蛋|18명|18 ans|18 Jahre|18 лет|18 años|18 साल|答案是18|答えは18です|답은 18입니다|18"
    " miles|18 bills|18 militia|18 bilateral talks"
    "|18 marbles|18mal|18 раз|**18**|***18***|$x = 18$|$$18$$|(C) 18|18 eggs/day|$18 per day|18!!|18✅|Page count:"
    " 18|The answer is number 18".split("|")
    + HELP_DESK.split("|"),
)
def test_an_ordinary_answer_passes(answer: str) -> None:
    finding = judge(answer, "18")

    assert finding.holds, finding.reason


@each(
    "answer",
    "18 plus|2 × 18|18-A|18A|18 к|18 K|18 B|$m 18|million 18|T€ 18|in millions of dollars: 18|(in Mio. EUR) 18|18"
    " Billionen|18 billion de francs|18 тысячи"
    "|18 lb 3 oz|18歳3ヶ月|第18|18번째|18º|18ème|18-й|No. 18|page 18|Seite 18|iOS 18|18.pdf|text [18]|18 de 20|18 из"
    " 20|3月18日|18 марта|18 Uhr".split("|")
    + NOT_STOOD_BY.split("|"),
)
def test_what_only_looks_like_the_answer_fails_however_numbers_are_taken(answer: str) -> None:
    assert [take for take in TAKES if judge(answer, "18", take=take).holds] == []


@pytest.mark.parametrize("take", TAKES)
def test_a_table_in_thousands_makes_its_numbers_doubtful(take: str) -> None:
    assert not judge("Revenue (in thousands)\n12", "12", take=take).holds


amounts = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("99999.99"), places=2).filter(lambda one: one % 1)
behind = st.sampled_from(
    [
        *(f" {word}" for word in MULTIPLIERS),
        *MULTIPLIERS,
        "",
        " km",
        " km/h",
        "%",
        " people",
        " €",
        "円",
        "人",
    ]
)
framed = st.sampled_from(
    [*SENTENCES, "({})", "**{}**", "[{}]", "\\boxed{{{}}}", "“{}”", "~{}", "CHF {}", "{} (see below)", "Total | {} |"]
)


@settings(deadline=None, max_examples=400)
@given(amount=amounts, ending=behind, frame=framed, more=st.sampled_from(["", *MARKS, *DATES, *NAMES]))
@pytest.mark.slow
def test_whatever_stands_around_a_number_it_is_read_or_doubtful(
    amount: Decimal, ending: str, frame: str, more: str
) -> None:
    """Any other number that comes back is the amount times a power of ten, or negative in an account's brackets."""
    finding = judge(frame.format(f"{amount}{ending}") + more, "0.00001", tolerance=Decimal("1e-9"))
    read = finding.reason.rpartition("read as ")[2] if "read as" in finding.reason else finding.found
    if "no plain number" in finding.reason or "gives no number" in finding.reason:
        return
    digits = "".join(char for char in read if char.isdigit()).strip("0")
    wanted = {str(amount * times).replace(".", "").strip("0") for times in (1, 12, 10, 20, 144)}
    assert digits in wanted or str(amount) in finding.found, finding


def test_the_check_is_made_without_looking_into_the_locale_data() -> None:
    assert Check(value=Decimal(1), unit="km").unit == "km"
