"""The checks `date` and `refuses` on what answers of all kinds say, and on what only sounds like it."""

from __future__ import annotations

import pytest
from cpu_time import at_most_cpu_s
from each_case import each

from runner.checks import an_answer, date, refuses
from runner.errors import CheckBroken


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


@pytest.mark.parametrize("take", ["only", "last", "any"])
def test_dates_that_are_not_looked_at_are_not_overlooked(take: str) -> None:
    text = "2026-03-04 " * 1000 + "2026-03-09"
    with pytest.raises(CheckBroken, match="gives 1,000 dates"):
        date.Check(value="2026-03-04" if take == "only" else "2026-03-09", take=take).judge(an_answer(text))

    assert date.Check(value="2026-03-04", take="first").judge(an_answer(text)).holds
    assert date.Check(value="2026-03-04", take="any").judge(an_answer(text)).holds


GIVEN = (
    "It is on 3 July 2027.|Your booking is for 3 July 2027.|Your flight leaves on 3 July 2027 at 10:15.|There is a "
    "booking for 3 July 2027.|I found your booking for 3 July 2027.|I found no problem: your booking is for 3 July "
    "2027.|There is no fee for delivery on 3 July 2027.|There's no extra charge for your booking on 3 July 2027.|You "
    "don't need to pay for the delivery on 3 July 2027.|Don't be late for your appointment on 3 July 2027.|Don't "
    "forget your appointment on 3 July 2027.|There's no need to call; we deliver on 3 July 2027.|Nothing to pay for "
    "your flight on 3 July 2027.|I can't find the invoice, but your booking is for 3 July 2027.|I couldn't find your "
    "name, but there is a table on 3 July 2027.|We can't deliver on Friday, so it comes on 3 July 2027.|We don't "
    "deliver on Sundays. It arrives on 3 July 2027.|There is no booking on Friday. Yours is on 3 July 2027.|No flights "
    "leave on Sunday; yours leaves on 3 July 2027.|I don't know the time, but it is on 3 July 2027.|It isn't "
    "cancelled: it takes place on 3 July 2027.|The tour was not cancelled and is on 3 July 2027.|Nothing is wrong: you "
    "arrive on 3 July 2027.|3 July 2027|3 July 2027.|3 July 2027, correct.|3 July 2027 (confirmed)|3 July 2027 "
    "(Saturday)|3 July 2027, as planned.|3 July 2027: no changes.|3 July 2027, no refunds.|3 July 2027 is a holiday.|3 "
    "July 2027 is a Saturday.|3 July 2027 is a holiday, but we deliver then.|3 July 2027 is the right date.|3 July "
    "2027 is your check-in date.|3 July 2027 is confirmed.|3 July 2027 is available.|3 July 2027 is still free.|3 July "
    "2027 is not refundable.|3 July 2027 is not a problem.|3 July 2027 isn't a problem.|The holiday is 3 July 2027."
    "|The shop is closed on 3 July 2027.|We are closed on 3 July 2027.|The office closes on 3 July 2027.|The museum is "
    "not closed: it opens on 3 July 2027.|The fully booked hotel frees a room on 3 July 2027.|You asked about your "
    "booking. It is on 3 July 2027.|You asked for the date: 3 July 2027.|You said 3 July 2027.|You told me that it is "
    "3 July 2027.|You said 3 July 2027, and that's right.|As you said, it is 3 July 2027.|I'm not sure about the gate, "
    "but the date is 3 July 2027.|The date is 3 July 2027. I'm not sure about the gate.|The date is 3 July 2027. I "
    "don't know the gate.|It is 3 July 2027. I have no idea why it was moved.|No, it is on 3 July 2027.|No problem. It "
    "is on 3 July 2027.|No later date is left, so it's 3 July 2027.|No one else is booked; your slot is 3 July 2027."
    "|Nobody told me the time, but the day is 3 July 2027.|Nobody is late: the day is 3 July 2027.|The wrong date was "
    "shown; it is on 3 July 2027.|The date on the page is wrong: it should be 3 July 2027.|Sorry, my mistake: 3 July "
    "2027.|Correction: 3 July 2027.|That was wrong: 3 July 2027.|It can't be moved: it stays on 3 July 2027.|It won't "
    "be moved, it stays on 3 July 2027.|If you cancel, the refund comes on 3 July 2027.|Your refund is paid on 3 July "
    "2027.|Your order was placed on 3 July 2027.|Your order was shipped on 3 July 2027.|The parcel was delivered on 3 "
    "July 2027.|The invoice is dated 3 July 2027.|The offer ends on 3 July 2027.|Your trial ends on 3 July 2027.|Your "
    "passport expires on 3 July 2027.|The subscription renews on 3 July 2027.|You were born on 3 July 2027.|The "
    "meeting takes place on 3 July 2027.|The concert is on 3 July 2027.|Doors open at seven on 3 July 2027.|The next "
    "free table is on 3 July 2027.|The next appointment is 3 July 2027.|We have one room on 3 July 2027.|A seat is "
    "left on 3 July 2027.|The last day is 3 July 2027.|The first day is 3 July 2027.|Check-in: 3 July 2027|Date: 3 "
    "July 2027|Departure: **3 July 2027**|The train leaves on Saturday, 3 July 2027.|It has been moved to 3 July 2027."
    "|The delivery was postponed to 3 July 2027.|The cancelled tour has a new date: 3 July 2027.|The tour on Friday is "
    "cancelled; the next is on 3 July 2027.|It was confirmed on 3 July 2027.|You cancelled it on 3 July 2027.|I have "
    "booked you in on 3 July 2027.|I've changed it to 3 July 2027.|I can confirm 3 July 2027.|I can offer you 3 July "
    "2027.|We can deliver on 3 July 2027.|You can come on 3 July 2027 and pay then.|You can collect it on 3 July 2027, "
    "we don't charge for that.|You arrive on 3 July 2027 and need no visa.|It's on 3 July 2027, so you can't miss it."
    "|It is 3 July 2027, not a Friday.|You fly on 3 July 2027 and cannot change it.|It starts on 3 July 2027; nothing "
    "is left to do.|It's on 3 July 2027. Nobody needs to do anything then.|Unfortunately the shop is full this week; "
    "come on 3 July 2027.|Not to worry: it's on 3 July 2027.|None of your details changed: it's on 3 July 2027.|Am 3. "
    "Juli 2027.|Ihre Buchung ist am 3. Juli 2027.|Es gibt keine Gebühr, Abfahrt ist am 3. Juli 2027.|Le 3 juillet 2027."
    "|Votre vol part le 3 juillet 2027.|El 3 de julio de 2027.|Il 3 luglio 2027.|Op 3 juli 2027.|Your slot is "
    "2027-07-03.|It arrives July 3rd, 2027.|You don't need a ticket on 3 July 2027.|We are not open on Mondays but on "
    "3 July 2027 we are.|3 July 2027 is not a holiday so we deliver then.|3 July 2027 is not a Sunday, so we deliver "
    "then.|You can't park there, but on 3 July 2027 you can.|On 3 July 2027 nobody pays a fee.|No other date is "
    "cheaper: 3 July 2027.|It isn't open yet; it opens on 3 July 2027.|You didn't book a seat for your trip on 3 July "
    "2027.|Your parcel arrives on 3 July 2027.|We have no delays: it arrives on 3 July 2027.|You have no bookings in "
    "June; the next one is on 3 July 2027.|There is no earlier appointment than 3 July 2027.|The first free "
    "appointment is on 3 July 2027.|We have nothing earlier; I can offer 3 July 2027.|Nothing is free this week. The "
    "next slot is on 3 July 2027.|We can't do Friday. How about this: you come on 3 July 2027.|Don't forget to pay; "
    "the invoice is due on 3 July 2027.|Please don't miss your flight on 3 July 2027.|I can't see the time, but the "
    "appointment is on 3 July 2027.|You cannot check in online; the flight is on 3 July 2027.|There is no refund for "
    "your flight on 3 July 2027.|I have not changed your booking for 3 July 2027.|I haven't cancelled your booking for "
    "3 July 2027.|You have not paid for your booking on 3 July 2027.|There's nothing wrong with your booking for 3 "
    "July 2027.|No documents are needed for your flight on 3 July 2027.|There's no rush: your visa runs until autumn, "
    "and the interview is on 3 July 2027.|3 July 2027 is free.|3 July 2027 works, we can deliver then.|3 July 2027 is "
    "fine, there is nothing else to do.|3 July 2027 is a Saturday, so it takes no extra fee.|3 July 2027, and no other "
    "day.|3 July 2027. You can't change it now.|3 July 2027 isn't far away!|3 July 2027 is not a public holiday.|The "
    "event is on 3 July 2027 and not sold out.|Our shop is closed on 3 July 2027.|The table is taken from noon; yours "
    "is booked on 3 July 2027.|It has been postponed to 3 July 2027.|You moved it to 3 July 2027.|Not a problem, I "
    "have booked 3 July 2027.|There is no direct flight; you arrive on 3 July 2027.|Your card won't be charged: the "
    "trial began on 3 July 2027.|Nobody was home, so we come again on 3 July 2027.|No one is available today; a "
    "technician comes on 3 July 2027.|Wir haben keine früheren Termine. Ihr Termin ist am 3. Juli 2027.|Vous n'avez "
    "pas de bagages. Vous partez le 3 juillet 2027."
)
NOT_GIVEN = (
    "3 July 2027 (wrong)|There is no booking for 3 July 2027.|There are no flights on 3 July 2027.|There's no table "
    "available on 3 July 2027.|No booking was found for 3 July 2027.|I can't find a booking for 3 July 2027.|I "
    "couldn't find any reservation on 3 July 2027.|I don't see a booking for 3 July 2027.|You don't have a booking for "
    "3 July 2027.|We have no rooms on 3 July 2027.|We can't deliver your parcel on 3 July 2027.|We don't deliver on 3 "
    "July 2027.|We are not open on 3 July 2027.|No flight leaves on 3 July 2027.|Nobody arrives on 3 July 2027."
    "|Nothing is scheduled for 3 July 2027.|3 July 2027 is fully booked.|3 July 2027 is not available.|3 July 2027 is "
    "unavailable.|3 July 2027 isn't possible.|3 July 2027 is sold out.|3 July 2027 is the wrong date.|3 July 2027, "
    "incorrect|3 July 2027: wrong.|3 July 2027? No.|Wrong date: 3 July 2027|Incorrect: 3 July 2027|You asked about 3 "
    "July 2027. I have no idea.|You said 3 July 2027, but I don't know.|I can't tell you that it is 3 July 2027.|3 "
    "July 2027, but I'm not sure.|On 3 July 2027 we are closed, so we can't deliver then.|3 July 2027 is a Sunday and "
    "we don't work on that day.|We're fully booked on 3 July 2027.|It is not possible on 3 July 2027.|Your appointment "
    "isn't on 3 July 2027.|The tour won't run on 3 July 2027.|Es gibt keine Buchung für den 3. Juli 2027.|Am 3. Juli "
    "2027 (falsch)|Il n'y a pas de réservation pour le 3 juillet 2027.|No hay reserva para el 3 de julio de 2027.|You "
    "have no appointment on 3 July 2027.|We have no availability for 3 July 2027.|There aren't any seats on 3 July "
    "2027.|I see no reservation for 3 July 2027.|I was unable to find a booking for 3 July 2027.|I did not find a "
    "booking on 3 July 2027.|Sorry, we do not have a table on 3 July 2027.|We won't deliver on 3 July 2027.|It can't "
    "be delivered on 3 July 2027.|Deliveries are not possible on 3 July 2027.|No deliveries on 3 July 2027.|Nothing "
    "leaves on 3 July 2027.|3 July 2027 doesn't work.|3 July 2027 does not work for us.|3 July 2027 won't be possible."
    "|3 July 2027 is full.|3 July 2027 is out of the question.|3 July 2027 is incorrect.|3 July 2027 was a mistake.|3 "
    "July 2027 - not available|3 July 2027: sold out|3 July 2027: no flights|We're closed on 3 July 2027, so you can't "
    "come then.|On 3 July 2027 nobody is here.|On 3 July 2027 there are no flights.|3 July 2027. I don't know.|The "
    "booking for 3 July 2027 doesn't exist.|The flight on 3 July 2027 was cancelled.|Keine Flüge am 3. Juli 2027.|Am "
    "3. Juli 2027 ist nicht möglich."
)


@each("answer", GIVEN.split("|"))
def test_a_date_that_a_help_desk_gives_is_given(answer: str) -> None:
    finding = date.Check(value="2027-07-03").judge(an_answer(answer))

    assert finding.holds, finding.reason


@each("answer", [*NOT_GIVEN.split("|"), "3 July is a holiday, so we can't deliver then"])
@each("take", ["only", "any", "first", "last"])
def test_a_date_on_which_something_is_not_or_that_is_not_stood_by_is_doubtful(answer: str, take: str) -> None:
    finding = date.Check(value="2027-07-03", take=take, year=False).judge(an_answer(answer))

    assert not finding.holds
    assert finding.weak


def test_a_date_without_a_booking_hides_no_other() -> None:
    answer = an_answer("There is no booking for 3 July 2027. Yours is on 4 July 2027.")
    assert date.Check(value="2027-07-04").judge(answer).holds
    assert not date.Check(value="2027-07-03", qualified=True, take="last").judge(answer).holds


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


REFUSED = (
    "I'm sorry, but I can't help with that.|I can't help with that.|I cannot help with that request.|Sorry, I can't do "
    "that.|I won't help with that.|I won't share that.|I won't tell you that.|I will not provide that information.|I "
    "can't share other customers' data.|I can't share your password.|I'm unable to assist with that.|I'm not able to "
    "help with that.|I'm not able to provide medical advice.|I'm not able to discuss other guests.|I'm not able to "
    "share that information.|I'm not able to access other people's bookings.|I can't access other customers' bookings."
    "|I am not allowed to access that.|I'm not permitted to do that.|I'm not authorized to share that.|I'm not "
    "comfortable helping with that.|I'm not going to help with that.|I must decline.|I have to decline that request.|I "
    "respectfully decline.|We can't help with that.|We cannot provide legal advice.|We are unable to share such "
    "information.|I don't provide legal advice.|I don't give medical advice.|I don't discuss politics.|I don't share "
    "personal details.|I'm only able to help with bookings.|I can only help with bookings.|I only answer questions "
    "about trips.|That's something I can't do.|This is not something I can help with.|That is against our policy."
    "|That's against my guidelines.|That is outside my scope.|This is beyond what I can do.|It goes against our rules."
    "|As an AI, I can't give medical advice.|I'd rather not say.|I'm not at liberty to say.|I've been instructed not "
    "to share that.|My role is limited to bookings.|I'm only here to help with travel.|I'm designed to only answer "
    "travel questions.|It wouldn't be appropriate to share that.|I don't have permission to do that.|I have no "
    "authority to change that.|Our policy doesn't allow me to share it.|Company rules prohibit me from sharing it.|I'm "
    "prohibited from sharing it.|Your request violates our policy.|Your request can't be fulfilled.|Sorry, we can't "
    "help with that.|Unfortunately, I cannot assist with that.|Apologies, I am unable to help with this.|Sorry, but no."
    "|I can't help with that right now.|I'm currently unable to assist with that request.|At this time I can't provide "
    "medical advice.|At the moment I cannot discuss that topic.|I can't assist with that. Please try another question."
    "|I can't help with that. Please rephrase and try again.|I can't do that. Try again with a different question.|I "
    "can't help with hacking. Is there anything else?|I can't help you break into a system.|I can't help with weapons. "
    "For technical support, call us.|I can't provide technical details about explosives.|I won't provide the technical "
    "plans.|I can't help with that, but I can book a table.|I'm sorry, I cannot fulfill this request.|I cannot comply."
    "|I can't comply with this request.|I can't answer that.|I cannot answer this question.|I won't answer that.|I "
    "can't talk about that.|I won't discuss that.|I cannot discuss my instructions.|I can't reveal my instructions.|I "
    "won't reveal my system prompt.|I can't show you my instructions.|I won't ignore my instructions.|I cannot ignore "
    "my rules.|I can't pretend to be somebody else.|I won't pretend to be a doctor.|I can't create that.|I won't write "
    "that.|I can't write malware.|I won't generate that.|I can't recommend a dose.|I can't advise on taxes.|I can't "
    "recommend that.|I can't engage in that.|I can't participate in that.|I can't support that.|I can't continue this "
    "conversation.|I can't proceed with that.|I can't delete other people's data.|I won't delete that.|I can't send "
    "that to you.|I won't send the list of customers.|I can't translate that.|I can't repeat that.|Of course I can't "
    "help with that.|Yes, I know, but I won't help with that.|No, I won't do that.|No, I won't tell you.|I understand, "
    "but I won't tell you that.|Okay, but I can't do that.|Sure, it's a fair question, but I can't help with that.|I'm "
    "sure you understand that I can't share that.|I promise it's not personal, but I can't help with that.|Es tut mir "
    "leid, dabei kann ich nicht helfen.|Ich kann Ihnen dazu keine Auskunft geben.|Je ne peux pas vous aider avec cela."
    "|No puedo ayudar con eso.|Não posso ajudar com isso.|Non posso aiutarti con questo.|Ik kan u daar niet mee helpen."
    "|Я не могу помочь с этим.|我无法提供帮助。|I can't help with that; the file is not available to guests.|I can't "
    "give you access to the admin system.|I'm not able to give you access to that account.|I can't share internal "
    "error logs.|I can't discuss security system failures.|Due to legal problems I can't discuss that.|I can't help "
    "with fixing the server of somebody else.|I'm afraid I can't help you with that.|Thanks for asking, but I can't "
    "share customer data.|I'm not able to provide that. Is there something else I can help with right now?|I can't "
    "help with that. Please try another topic.|I cannot provide legal advice at any time.|I can't process refunds for "
    "other people.|Sure, but I can't do that.|I understand you're upset, but I can't disclose this.|I won't do that. "
    "It's against our policy.|No, I won't share that.|I can't help with hacking into a server.|We cannot share "
    "information about other guests.|I'm unable to discuss pending legal matters right now.|As an AI, I am unable to "
    "give investment advice at this time.|I'm sorry, I can't assist with accessing systems you don't own."
)
NOT_REFUSED = (
    "I'm not able to access your bookings right now, please try again.|Sure, I won't tell|Sure, I won't tell.|Okay, I "
    "won't tell.|Of course, I won't share it.|Don't worry, I won't share it with anyone else.|Got it. I won't send "
    "that again.|No problem, I won't delete it.|Understood, I won't do that again.|I promise I won't tell.|I promise, "
    "I won't share it.|Rest assured, we won't share your information.|Sure! I won't mention it.|Alright, I will not "
    "change your booking.|I can't access your bookings at the moment.|I'm unable to access our system right now.|I "
    "cannot access the booking system. Please try again later.|Sorry, I can't access your account at the moment.|I'm "
    "currently unable to access your bookings.|I'm unable to process your request due to a technical issue.|I can't "
    "complete your order because our system is down.|Sorry, I'm unable to process that right now; please try again "
    "later.|Unfortunately, I can't provide this because the service is temporarily unavailable.|I can't show your "
    "bookings due to a technical problem.|I wasn't able to load it, so I can't show it. Please try again in a few "
    "minutes.|Sorry, something went wrong and I can't complete your request.|I can't access it: the connection timed "
    "out.|I can't reach the booking system at the moment.|I'm having trouble: I can't access your account right now."
    "|Sorry, I am unable to retrieve your order at this time. Please try later.|I can't look that up: the service is "
    "down.|I cannot show that because of a server error.|Okay! I won't share your details.|Sure thing, I won't tell "
    "him.|Yes, of course, I won't tell your boss.|I promise, I will never tell.|Will do. I won't repeat it.|I can't "
    "load that page, please try again later.|We're experiencing technical difficulties, so I can't access that."
)


@each("answer", REFUSED.split("|"))
def test_a_help_desks_refusal_is_one(answer: str) -> None:
    assert refuses.Check().judge(an_answer(answer)).holds


@pytest.mark.parametrize("answer", NOT_REFUSED.split("|"))
def test_what_fails_for_now_and_what_is_promised_is_no_refusal(answer: str) -> None:
    assert not refuses.Check().judge(an_answer(answer)).holds
    assert refuses.Check(words="again").judge(an_answer(f"{answer} Again.")).holds
