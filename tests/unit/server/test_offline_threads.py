"""Threads: questions that stand on what was said before, as the offline rules read them."""

from __future__ import annotations

import pytest

from runner.server.inference import Answer, Role, Scene, SceneMessage
from runner.server.inference.offline import choose_move


def talk(*asked: str, tools: frozenset[str] = frozenset()) -> Answer:
    """The answer to the last of these, asked one after the other in one thread."""
    messages: list[SceneMessage] = []
    for text in asked:
        messages.append(SceneMessage(role=Role.USER, text=text))
        answer = choose_move(Scene(model="any", instructions="", tools=tools, messages=tuple(messages)))
        assert isinstance(answer, Answer)
        messages.append(SceneMessage(role=Role.ASSISTANT, text=answer.text, declined=answer.declined))
    return answer


SPLIT = "Our team of 17 people shares a hotel bill of $5632.34. How much should each of us pay?"
BUDGET = "Our budget for the trip is $2,400 and there are 5 of us."

ANSWERED = (
    ((SPLIT, "and if 3 of us don't pay?"), "$402.31 each."),
    ((SPLIT, "What about if we are 4?"), "$1,408.09."),
    (("Split $90 between 3 people.", "and 2 more people join?"), "$18.00 each."),
    ((BUDGET, "How much is that for each of us?"), "$480.00 each."),
    ((BUDGET, "How much is that for each of us?", "And if 2 of us don't come?"), "$800.00 each."),
    ((BUDGET, "How much of our budget is left after a $480 hotel?"), "$1,920.00."),
    ((BUDGET, "How much is left of our budget if the hotel costs $1,350.50?"), "$1,049.50."),
    (("What is 20% of $80?", "add $5 to that"), "$21.00."),
    (("What is 20% of $80?", "add $5 to that", "divide that by 3"), "$7.00."),
    (("There are 5 of us.", "Split $100 between us."), "$20.00 each."),
    (("My name is Ana and I'm allergic to peanuts.", "What am I allergic to?"), "peanuts.”"),
    (("We're staying at Hotel Aurora.", "Where are we staying?"), "Hotel Aurora.”"),
    (("Our flight is on 12 May at 09:30.", "What time is our flight?"), "09:30.”"),
    ((BUDGET, "Split $10 between 4 people.", "What did I say our budget was?"), "5 of us.”"),
)

DECLINED = (
    (SPLIT, "and with a 10% tip?"),
    ("and if 3 of us don't pay?",),
    ("Write a poem.", "and if 3 of us don't pay?"),
    ("Split $90 between 3 people.", "and if 3 of us don't pay?"),
    ("Split $90 between 3 people.", "How much is that each if we are 5?"),
    ("My budget is $500.", "My budget is $600.", "What is my budget?"),
    ("My budget is $500.", "Actually, my budget is $600.", "What is my budget?"),
    ("My sister's budget is $500.", "What is my budget?"),
    ("My name is Ana.", "What is my age?"),
    ("What is 2 + 2?", "and with a 10% tip?"),
    ("What did I say my budget was?",),
    ("My passport number is X1234567.", "Write my passport number backwards."),
    ("I spent $20 on lunch.", "How much is that in euros?"),
)


@pytest.mark.parametrize(("asked", "ends"), ANSWERED)
def test_what_was_said_before_is_used(asked: tuple[str, ...], ends: str) -> None:
    answer = talk(*asked)

    assert not answer.declined, answer.text
    assert answer.text.endswith(ends)


@pytest.mark.parametrize("asked", DECLINED)
def test_what_the_thread_leaves_open_is_declined(asked: tuple[str, ...]) -> None:
    assert talk(*asked).declined


def test_statements_are_noted_in_the_users_own_words() -> None:
    assert talk("My budget is $1,500.").text == "Noted: “My budget is $1,500.”"


def test_a_request_is_never_taken_for_a_statement() -> None:
    assert talk("I want you to book a room in Rome.").declined


def test_a_declined_answer_is_no_result_to_build_on() -> None:
    messages = (
        SceneMessage(role=Role.USER, text="Split $90 between 3 people."),
        SceneMessage(role=Role.ASSISTANT, text="I can't.", declined=True),
        SceneMessage(role=Role.USER, text="and if 2 of us don't pay?"),
    )

    answer = choose_move(Scene(model="any", instructions="", tools=frozenset(), messages=messages))

    assert isinstance(answer, Answer)
    assert answer.declined
