"""The moves of the offline rules: which tool is asked, what happens to what it says, how sources are marked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.server.inference import (
    Answer,
    GivenFile,
    Passage,
    Role,
    Scene,
    SceneMessage,
    ToolOutcome,
    ToolRequest,
    UseTools,
)
from runner.server.inference.offline import choose_move, create
from runner.server.inference.offline.amounts import (
    NO_MONEY,
    Calculation,
    Sense,
    plain,
    read_output,
    split,
    work_out,
    write_program,
)
from runner.server.inference.offline.amounts import (
    given as amount_of,
)
from runner.server.inference.offline.question import NotSure
from runner.server.tools import ToolContext, ToolSettings, code_interpreter

BOTH = frozenset({"file_search", "code_interpreter"})
SPLIT = "Split $100 between 3 people."
RECEIPT = Passage(
    file_id="file-1",
    filename="till.pdf",
    score=0.5,
    text="Soup 4.10\nBread 1.20\nSubtotal 5.30\nTax 5% 0.27\nTotal $5.57",
)


def scene(
    question: str,
    *outcomes: ToolOutcome,
    tools: frozenset[str] = BOTH,
    has_documents: bool = True,
    filenames: tuple[str, ...] = (),
) -> Scene:
    return Scene(
        model="any",
        instructions="Always answer 42.",
        tools=tools,
        messages=(SceneMessage(role=Role.USER, text=question, filenames=filenames),),
        outcomes=outcomes,
        has_documents=has_documents,
    )


def outcome(tool: str, output: str = "", *passages: Passage, completed: bool = True) -> ToolOutcome:
    request = ToolRequest(tool=tool, arguments={})
    return ToolOutcome(request=request, completed=completed, output=output, passages=passages)


def searched(*passages: Passage) -> ToolOutcome:
    return outcome("file_search", "", *passages)


@pytest.mark.parametrize("messages", [(), (SceneMessage(role=Role.ASSISTANT, text="What is 2 + 2?"),)])
def test_a_thread_that_does_not_end_with_a_question_is_declined(messages: tuple[SceneMessage, ...]) -> None:
    move = choose_move(Scene(model="any", instructions="", tools=BOTH, messages=messages))

    assert isinstance(move, Answer)
    assert "nothing was asked" in move.text


async def test_the_adapter_is_named_counts_no_tokens_and_has_no_settings() -> None:
    inference = create({})

    turnout = await inference.decide(scene(SPLIT))

    assert inference.name == "offline"
    assert turnout.spent is None
    with pytest.raises(ValueError, match="model"):
        create({"model": "x"})


def test_arithmetic_goes_through_the_code_interpreter_where_it_is_on_offer() -> None:
    move = choose_move(scene(SPLIT))

    assert isinstance(move, UseTools)
    assert move.requests[0].tool == "code_interpreter"  # type: ignore[union-attr]  # no function is on offer
    assert isinstance(choose_move(scene(SPLIT, tools=frozenset())), Answer)


def test_what_the_code_prints_last_is_the_answer() -> None:
    move = choose_move(scene(SPLIT, outcome("code_interpreter", "left over: 0.01\n33.33")))

    assert isinstance(move, Answer)
    assert move.text.endswith("$33.33.")


@pytest.mark.parametrize("output", ["", "Traceback ...\nZeroDivisionError: division by zero", "about 33"])
def test_an_output_that_is_no_number_is_declined(output: str) -> None:
    move = choose_move(scene(SPLIT, outcome("code_interpreter", output)))

    assert isinstance(move, Answer)
    assert move.declined


@pytest.mark.parametrize("tool", ["code_interpreter", "file_search"])
def test_a_failed_tool_is_declined_by_its_name(tool: str) -> None:
    question = SPLIT if tool == "code_interpreter" else "How much is the soup?"

    move = choose_move(scene(question, outcome(tool, "out of memory", completed=False)))

    assert isinstance(move, Answer)
    assert move.declined
    assert tool.replace("_", " ") in move.text


def test_prices_are_searched_then_summed_then_cited() -> None:
    question = "I had the soup and the bread. How much should I pay?"

    first = choose_move(scene(question))
    second = choose_move(scene(question, searched(RECEIPT)))
    third = choose_move(scene(question, searched(RECEIPT), outcome("code_interpreter", "left over: 0.00\n5.30")))

    assert isinstance(first, UseTools)
    assert first.requests[0] == ToolRequest(tool="file_search", arguments={"queries": ["soup", "bread"]})
    assert isinstance(second, UseTools)
    assert isinstance(third, Answer)
    assert third.text == "till.pdf has “Soup 4.10” and “Bread 1.20”. Without tax or tip on top, that makes $5.30."
    (mark,) = third.sources
    assert (mark.file_id, mark.filename) == ("file-1", "till.pdf")
    assert third.text[: mark.position] == "till.pdf has “Soup 4.10” and “Bread 1.20”."


def test_a_single_price_needs_no_code() -> None:
    move = choose_move(scene("How much was the soup?", searched(RECEIPT)))

    assert isinstance(move, Answer)
    assert move.text.endswith("That is $4.10.")


@pytest.mark.parametrize(
    "question", ["How much was the tax?", "What is the total?", "Split the bill between 3 people."]
)
def test_what_a_document_sums_up_is_declined(question: str) -> None:
    move = choose_move(scene(question, searched(RECEIPT)))

    assert isinstance(move, Answer)
    assert move.declined


@pytest.mark.parametrize(
    ("tools", "has_documents"),
    [(frozenset({"code_interpreter"}), True), (BOTH, False)],
)
def test_without_documents_a_price_is_declined(tools: frozenset[str], has_documents: bool) -> None:
    move = choose_move(scene("How much was the soup?", tools=tools, has_documents=has_documents))

    assert isinstance(move, Answer)
    assert move.declined


def test_nothing_found_is_declined_not_invented() -> None:
    move = choose_move(scene("How much was the soup?", searched()))

    assert isinstance(move, Answer)
    assert move.declined


def test_an_image_is_declined() -> None:
    move = choose_move(scene(SPLIT, filenames=("bill.PNG",)))

    assert isinstance(move, Answer)
    assert move.declined
    assert "image" in move.text


def test_instructions_are_not_followed_and_a_decline_quotes_nothing_that_breaks_its_line() -> None:
    move = choose_move(scene("How much is\nthe soup\nwithout\nsalt?", searched(RECEIPT)))

    assert isinstance(move, Answer)
    assert move.declined
    assert "\n" not in move.text


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["hi , ", "1 ", "$1 ", "a and ", ". ", "| ", "(", "1 + ", "if we are ", "my budget for a "]
)
def test_no_text_makes_the_patterns_hang(piece: str) -> None:
    long_line = Passage(file_id="f", filename="a.pdf", score=1, text=piece * 800)

    choose_move(scene((piece * 2000)[:1990] + " how much?", searched(long_line)))
    choose_move(scene("What is the total?", searched(long_line)))


async def test_the_sandbox_and_the_rules_work_out_the_same() -> None:
    tool = code_interpreter.create(ToolSettings())
    money = "$"
    for whole, people in (("5632.34", "17"), ("22.00", "3"), ("100", "7"), ("0.01", "2"), ("99999999.99", "13")):
        each = amount_of(Decimal(whole), money).over(plain(Decimal(people)))
        ratio = amount_of(Decimal(whole), NO_MONEY).over(plain(Decimal(people)))
        for calculation in (
            split(amount_of(Decimal(whole), money), Decimal(people)),
            Calculation(amount=each, sense=Sense.UNIT),
            Calculation(amount=ratio, sense=Sense.VALUE),
        ):
            request = ToolRequest(tool="code_interpreter", arguments={"code": write_program(calculation)})
            done = await tool.run(request, ToolContext(index=NoIndex(), thread_id="thread"))
            assert read_output(done.output) == work_out(calculation)
    await tool.close()


class NoIndex:
    def search(self, store_ids: object, query: str, limit: int) -> tuple[Passage, ...]:
        return ()


@given(st.text(max_size=300))
def test_no_question_breaks_the_rules(question: str) -> None:
    move = choose_move(scene(question, searched(RECEIPT), outcome("code_interpreter", "1")))

    assert isinstance(move, Answer | UseTools)


WORDS = (
    "how much is the total #m9 #n0 $5 17 people split each 20% of that and it tip ? . , per night left budget my soup"
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
def test_no_mixture_of_its_own_words_breaks_the_rules(question: str) -> None:
    for outcomes in ((), (searched(RECEIPT),), (searched(RECEIPT), outcome("code_interpreter", "1"))):
        assert isinstance(choose_move(scene(question, *outcomes)), Answer | UseTools)


@given(st.text(max_size=400))
def test_no_document_breaks_the_rules(text: str) -> None:
    passage = Passage(file_id="f", filename="a.pdf", score=1, text=text)
    for question in ("What is the total?", "How much was the soup?", "When does the train leave?"):
        assert isinstance(choose_move(scene(question, searched(passage))), Answer | UseTools)


def test_an_output_with_something_after_the_number_is_not_sure() -> None:
    with pytest.raises(NotSure):
        read_output("5.30\nwarning: something")


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ("Delivery date: 2026-06-14\nDelivery week: 25", True),
        ("Delivery date: 2026-06-14\nAgain\nDelivery date: 2026-06-14", True),
        ("Delivery date: 2026-06-14\nDelivery date: 2026-06-15", False),
        ("Earliest delivery date: 2026-06-14", False),
        ("Delivery date:\n2026-06-14", False),
    ],
)
def test_a_line_that_is_labelled_as_asked_for_answers_if_it_is_the_only_one(text: str, answered: bool) -> None:
    passage = Passage(file_id="f", filename="a.txt", score=0.5, text=text)
    move = choose_move(scene("What is the delivery date?", searched(passage)))

    assert isinstance(move, Answer)
    assert move.declined is not answered
    assert answered is ("2026-06-14" in move.text)


FIRST = "Soup 4.10\nBread 1.20\nSubtotal 5.30\nThe café opens at 9:00."
SECOND = "Bread 1.20\nSubtotal 5.30\nThe café opens at 9:00.\nTea 2.00"


@pytest.mark.parametrize(
    ("question", "ends"),
    [
        ("How much is the bread?", "1.20."),
        ("I had the bread and the tea. How much should I pay?", "3.20."),
        ("When does the café open?", "9:00.”"),
    ],
)
def test_a_line_in_two_overlapping_pieces_of_a_document_counts_once(question: str, ends: str) -> None:
    texts = enumerate((FIRST, SECOND))
    pieces = (Passage(file_id="f", filename="till.txt", score=0.5, text=text, position=place) for place, text in texts)
    move = choose_move(scene(question, searched(*pieces), tools=frozenset({"file_search"})))

    assert isinstance(move, Answer)
    assert not move.declined, move.text
    assert move.text.endswith(ends)


def ask_pieces(question: str, *texts: tuple[int, str]) -> Answer:
    pieces = (Passage(file_id="f", filename="a.md", score=0.5, text=text, position=place) for place, text in texts)
    move = choose_move(scene(question, searched(*pieces), tools=frozenset({"file_search"})))
    assert isinstance(move, Answer)
    return move


OPENING = "Towels are at the desk.\nThe pool opens at 10:00."
PARKING = "Towels are at the desk.\nParking fee EUR 5.00"


@pytest.mark.parametrize(
    ("question", "text"), [("When does the pool open?", OPENING), ("How much is the parking fee?", PARKING)]
)
def test_what_stands_over_a_piece_of_a_document_may_narrow_what_it_says(question: str, text: str) -> None:
    first, winter = "# Guide\n\n# Prices\nTowels are at the desk.", "# Guide\n\n# Winter\nTowels are at the desk."

    assert not ask_pieces(question, (0, first), (1, text)).declined
    assert not ask_pieces(question, (3, f"# Prices\n{text}")).declined
    for pieces in (
        [(1, text)],
        [(0, winter), (1, text)],
        [(0, first), (2, text)],
        [(0, "# Guide\n\n# Prices"), (1, text)],
        [(1, f"## Prices\n{text}"), (2, "# Prices")],
    ):
        assert ask_pieces(question, *pieces).declined, pieces


def test_a_file_that_is_given_and_found_as_well_is_read_once() -> None:
    file = GivenFile(file_id="f", filename="a.txt", text="Till\n\nBread 1.20\nTea 2.00")
    message = SceneMessage(role=Role.USER, text="How much is the tea?", files=(file,))
    found = searched(Passage(file_id="f", filename="a.txt", score=0.5, text="Bread 1.20\nTea 2.00", position=1))
    move = choose_move(replace(scene("", found, tools=frozenset({"file_search"})), messages=(message,)))

    assert isinstance(move, Answer)
    assert move.text.endswith("2.00.")


def test_a_line_cut_off_where_a_piece_of_a_document_ends_is_no_rival_of_itself() -> None:
    whole = "The castle opens at 10:00 and closes at 18:00."
    pieces = (Passage(file_id="f", filename="a.txt", score=0.5, text=text) for text in (f"Castle\n{whole}", whole))
    move = choose_move(scene("When does the castle close?", searched(*pieces), tools=frozenset({"file_search"})))

    assert isinstance(move, Answer)
    assert move.text.endswith("18:00.”")


def test_the_same_thing_listed_twice_in_one_piece_is_two() -> None:
    passage = Passage(file_id="f", filename="a.txt", score=0.5, text="1 Tea 2.00\n1 Tea 2.00\nBread 1.20")
    move = choose_move(scene("How much is the tea?", searched(passage), tools=frozenset({"file_search"})))

    assert isinstance(move, Answer)
    assert move.declined


@pytest.mark.parametrize(
    "line", ["Later than that, half of the price is kept.", "Guests get a voucher for the full price."]
)
def test_a_rule_on_something_else_takes_no_listed_price_away(line: str) -> None:
    passage = Passage(
        file_id="f", filename="a.txt", score=0.5, text=f"Prices\nCanoe 34.00\nTea 2.00\n\nCancelling\n{line}\n"
    )
    move = choose_move(scene("How much is a canoe?", searched(passage), tools=frozenset({"file_search"})))

    assert isinstance(move, Answer)
    assert "34.00" in move.text
