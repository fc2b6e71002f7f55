"""Word problems and formulas: the exact result, or a decline. No tool is on offer, so the rules work it out alone."""

from __future__ import annotations

import re

import pytest

from runner.server.inference import Answer, Role, Scene, SceneMessage
from runner.server.inference.offline import choose_move

ANSWERED = {
    "Our football team of 17 people have a shared hotel bill of $5632.34 in total. "
    "How much should each of us pay exactly?": "331.31",
    "Split $120 between 4 people.": "30.00",
    "Split $100 three ways.": "33.33",
    "Please split $99.99 between two people.": "50.00",
    "Seven people share a bill of one hundred and five dollars. How much per person?": "15.00",
    "Ten people booked a boat for $1,250; how much does each person pay?": "125.00",
    "A group of 9 hikers paid $157.50 for a hut. What does each hiker owe?": "17.50",
    "If four friends split a bill of $86.40 with a 20% tip, how much does each pay?": "25.92",
    "I spent $12.50 on lunch, $30 on dinner and $8.25 on a taxi. How much did I spend in total?": "50.75",
    "How much are 3 coffees at $4.20 each and 2 teas at $3 each?": "18.60",
    "How much do 5 tickets at $12.50 each cost?": "62.50",
    "3 nights at $120 each and breakfast for $45. How much altogether?": "405.00",
    "I have $200 and spent $45.50 on a museum pass. How much is left?": "154.50",
    "I paid with a $50 bill. The meal was $37.45. How much change do I get?": "12.55",
    "6 bottles cost $9. How much is one bottle?": "1.50",
    "We spent $340 over 4 days. What's the average per day?": "85.00",
    "$54 for 3 nights, how much is that per night?": "18.00",
    "What is 20% of $54.20?": "10.84",
    "What is an 18% tip on $64?": "11.52",
    "Our bill was $64.50 and we want to add an 18% tip. What's the total?": "76.11",
    "How much is $80 with 15% off?": "68.00",
    "What is the average of 12, 15 and 18?": "15",
    "What is the difference between $120 and $87.50?": "32.50",
    "What's 12 * (3 + 4)?": "84",
    "What is -5 + 3?": "-2",
    "What's $19.99 times 3?": "59.97",
    "What's ten plus twelve?": "22",
    "Split €1.234,50 between 3 people": "411.50",
}

DECLINED = (
    # Other forms than the few that the rules know.
    "Seven people share a bill of one hundred and five dollars and seventy cents. How much per person?",
    "What percentage of $80 is $20?",
    "A hotel costs $89 per night. How much are 3 nights?",
    "Increase 250 by 12%",
    "How much more is $120 than $87.50?",
    "Divide $100 equally between me and 3 friends.",
    "My three friends and I shared a $88 pizza bill. What's my share?",
    "Both of us want to split $45.50. How much each?",
    "My wife and I paid €90 for dinner. How much is that each?",
    "A dozen eggs cost $4.20. How much is one egg?",
    "How much are 3 dozen at $2 each?",
    "Lunch was $12 for me and $15 for you. How much do I pay?",
    "My friend's dinner was $30 and my dinner was $20. How much did I pay?",
    "I split $60 with 2 friends. How much do I pay?",
    "Dinner was $86.40. We want to leave a 20% tip and split it 4 ways. How much each?",
    "We paid $90 for dinner and $30 for a taxi. Split it between 3 of us.",
    "A meal for two costs $60. How much is it per person?",
    "4 people share two rooms at $50 each. How much per person?",
    "Tickets cost $20 per person. How much for 17 people?",
    "The museum is €15 per person and we are 4. What's the total?",
    "A $120 jacket is 25% off. What do I pay?",
    "A laptop costs $1,200 and is discounted by 15%. What is the final price?",
    # Numbers without a part, or too many of them.
    "Our team of 11 players and 2 coaches has a bill of $650. How much each?",
    "Our group of twelve rented two vans for $540. How much per person?",
    "We are 8 but only 6 of us drank. The bill was $240. How much each?",
    "There are 12 of us. The minibus costs $300 per day for 2 days. How much each?",
    "4 nights cost $480 for 2 people. How much is that per night?",
    "I bought 2 shirts for $20 and a jacket for $60. How much did I spend?",
    "Two beers are $9. How much are five?",
    "The bill of $90 is shared by 3 couples. How much per couple?",
    # Words that change the sum.
    "Three friends split a $90 bill but one of them only pays half. How much does each pay?",
    "7 people ate for $140 but 2 didn't drink the $20 wine. How much each?",
    "Dinner was $120 and I already paid $20. How much each if we are 4?",
    "The bill was $90, minus a $10 voucher. How much each for 4 people?",
    "The bill is $100 including a 20% tip. What's the total?",
    "I had $50, spent $20 and got $10 back. How much do I have left?",
    "A shirt costs $50 after a 20% discount. What was the original price?",
    "A $50 shirt is 20% off. How much do I save?",
    "How much would a 10% discount on $250 be?",
    "How much is half of $90?",
    # What is asked is not what was told.
    "I spent $12 on lunch and $30 on dinner. How much did I spend on lunch?",
    "We are 4. The hotel is $400. How much does each pay for the taxi?",
    "20 people each pay $15. What's the total?",
    "Each of us paid $21.05. There are 4 of us. What was the bill?",
    "3 rooms cost $80 each per night. 2 nights. Total?",
    "I have $100 and my friend has $50. How much do we have together?",
    "My friend paid $30 and I paid $40. How much did I pay?",
    "I owe $40 and you owe me $30. How much?",
    "Tom won $50 and lost $20. How much in total?",
    "How much is 100 USD in EUR?",
    "What's €20 plus $30?",
    "What's the difference between $20 and 5?",
    "What is 12 divided by 0?",
    "We split $60 with 2 friends. How much do I pay?",
    "My friends and I rented a boat for $400. How much does each of us pay?",
    # Several steps.
    "What is 15% of 15% of $200?",
    "Raymond paid $300 for the hotel and $120 for the car. He paid twice as much for food. How much in total?",
    "A taxi costs $3 plus $2 per km. How much for 10 km?",
    "If 5 pens cost $7.50, how much do 8 pens cost?",
    "Ana has 3 baskets of 12 eggs and sells half of them for $2 each. How much does she earn?",
    "Lena reads 14 pages a day for 3 weeks. How many pages does she read?",
    "A pool of 300 litres loses 5 litres an hour. How much is left after a day?",
    # No sum at all.
    "Should I buy the $50 shirt or the $60 shirt?",
    "Write a poem about Rome.",
    "What is the best pizza in Naples?",
    "Translate 'good morning' into Italian.",
    "Who is the president of France?",
    "Hello!",
    "",
    "1" * 4000,
    "What is 9999999999999999999999 plus 1?",
)


def ask(question: str) -> Answer:
    scene = Scene(
        model="any",
        instructions="",
        tools=frozenset(),
        messages=(SceneMessage(role=Role.USER, text=question),),
    )
    move = choose_move(scene)
    assert isinstance(move, Answer)
    return move


def final_number(text: str) -> str:
    return re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)[-1].replace(",", "")


@pytest.mark.parametrize(("question", "result"), ANSWERED.items())
def test_a_problem_with_one_reading_is_answered_exactly(question: str, result: str) -> None:
    answer = ask(question)

    assert not answer.declined, answer.text
    assert final_number(answer.text) == result


@pytest.mark.parametrize("question", DECLINED)
def test_a_problem_beyond_the_rules_is_declined_in_one_sentence(question: str) -> None:
    answer = ask(question)

    assert answer.declined, answer.text
    assert "no language model is connected" in answer.text
    assert "runner serve --inference" in answer.text


def test_a_split_that_does_not_come_out_even_says_what_is_left_over() -> None:
    assert ask("Split $100 three ways.").text == (
        "$100.00 does not divide evenly by 3: 3 × $33.33 leaves $0.01 over. To the cent, each pays $33.33."
    )


def test_amounts_keep_the_currency_that_the_question_writes() -> None:
    assert ask("Split 90 euros between 4 people.").text.endswith("€22.50 each.")
    assert ask("Split CHF 90 between 4 people.").text.endswith("CHF 22.50 each.")
    assert ask("Split 90 kr between 4 people.").declined
