"""What the judge's numbers come to, and how often it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.checks import Exchange, Part, an_answer, build_part
from runner.domain.assistant import Address
from runner.domain.conversation import Run, RunStatus, Step, Usage
from runner.domain.judgement import Answer, Answers, Questions
from runner.domain.report import Outcome, Verdict
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import CheckBroken, Location, RemoteError
from runner.execution.judging import Asker, judge_exchange

PLACE = Location("scenarios/x.yaml", 3, 5)
STEP = Step(tool="file_search", completed=True, input="refund", output="30 days")
RUN = an_answer("30 days.", steps=(STEP,))
FOUR = ["Is it polite?", "Is it short?", "Is it right?", "Is it whole?"]


class Judge:
    """Answers each question with the next of its probabilities; the last from then on."""

    def __init__(self, **said: Any) -> None:
        self.said = said
        self.asked: list[Questions] = []

    async def __call__(self, questions: Questions, /) -> Answers:
        self.asked.append(questions)
        answers = {one.name: self._answer(one.name) for one in questions.questions}
        return Answers(model="m", way="decisions", answers=answers)

    async def judge(self, part: Part, one: Exchange) -> Verdict:
        return part.judge(one.run, one)

    def _answer(self, name: str) -> Answer:
        said = self.said.get(name.replace(" ", "_"), 0.9)
        told = said[min(len(self.asked), len(said)) - 1] if isinstance(said, list) else said
        if told is None:
            return Answer(name=name, refusal="no")
        shares = told if isinstance(told, Mapping) else {"yes": told, "no": 1 - told}
        return Answer(name=name, probabilities=shares)


def exchange(*expectations: Expectation, run: Run = RUN) -> Exchange:
    turns = tuple(Turn(ask=ask, expectations=expectations, location=PLACE) for ask in ("Hello?", "Refund?"))
    scenario = Scenario(name="x", assistant=Address("guide"), turns=turns, location=PLACE)
    hello = replace(run, text="Hello.", steps=())
    said = ((turns[0], hello), (turns[1], run))
    return Exchange(scenario=scenario, turns=said, target="t", api="responses", model="m")


def expectation(parameters: dict[str, Any], check: str = "judge") -> Expectation:
    return Expectation(check=check, parameters=parameters, location=PLACE)


async def judge(judge: Judge, **parameters: Any) -> Verdict:
    part = build_part(expectation({"criteria": "Is it polite?", **parameters}))
    return await part.judge_asking(exchange(), judge)


async def test_two_hundred_turns_with_four_criteria_send_two_hundred_requests() -> None:
    judge = Judge()
    one = exchange(expectation({"criteria": FOUR}))

    results = [await judge_exchange(one, judge) for _ in range(200)]

    assert {result.outcome for result in results} == {Outcome.PASSED}
    assert len(judge.asked) == 200
    assert {len(asked.questions) for asked in judge.asked} == {4}


def judge_of(criteria: object, **more: Any) -> Expectation:
    return expectation({"criteria": criteria, **more})


FACTUAL, GOAL = expectation({"reference": "30 days."}, "factual"), expectation({"goal": "A refund."}, "goal")


async def test_checks_about_the_same_share_a_request() -> None:
    asked = Judge()

    result = await judge_exchange(exchange(judge_of(FOUR), judge_of("Is it kind?"), FACTUAL, GOAL), asked)

    assert result.outcome is Outcome.PASSED
    about_turn, about_conversation = asked.asked
    assert [one.name for one in about_turn.questions] == [
        *(f"criterion {number}" for number in range(1, 5)),
        "criterion 1 (2)",
        "factual",
    ]
    assert [one.name for one in about_conversation.questions] == ["goal"]
    assert [one.details["requests"] for one in result.verdicts] == [1, 0, 0, 1]
    assert [one.details["criteria"][-1]["name"] for one in result.verdicts] == [
        "criterion 4", "criterion 1", "factual", "goal",
    ]  # fmt: skip


async def test_each_check_that_shares_a_request_has_answers_of_its_own_and_asks_again_for_what_is_open() -> None:
    asked = Judge(criterion_2=[0.5, 0.5, 0.9], factual=0.1, **{"criterion_1_(2)": [0.5, 0.9]})

    result = await judge_exchange(exchange(judge_of(FOUR[:2], votes=5), judge_of("Is it kind?"), FACTUAL), asked)

    assert [one.outcome.value for one in result.verdicts] == ["passed", "passed", "failed"]
    assert [[question.instructions for question in one.questions][:2] for one in asked.asked[1:]] == [
        ["Is it short?", "Is it kind?"],
        ["Is it short?"],
        ["Is it short?"],
    ]
    assert [[vote["votes"] for vote in one.details["criteria"]] for one in result.verdicts] == [
        [[0.9], [0.5, 0.5, 0.9, 0.9]],
        [[0.5, 0.9]],
        [[0.1]],
    ]


async def test_a_judge_inside_other_checks_shares_the_request_of_those_beside_it() -> None:
    asked = Judge(criterion_1=0.9)
    inner = (expectation({"value": "never"}, "contains"), judge_of("Is it kind?"), FACTUAL)
    free = (expectation({"value": "30 days"}, "contains"), judge_of("Is it long?"))
    nested = (expectation({"expect": inner}, "any_of"), expectation({"expect": free}, "any_of"))

    result = await judge_exchange(exchange(judge_of("Is it polite?"), *nested), asked)

    assert result.outcome is Outcome.PASSED
    assert [[one.instructions[:12] for one in each.questions] for each in asked.asked] == [
        ["Is it polite", "Is it kind?", "Does the las"]
    ]


async def test_an_error_of_a_shared_request_is_one_of_every_check_that_asked() -> None:
    async def fail(_questions: Questions, /) -> Answers:
        raise RemoteError("it broke", status=400)

    result = await judge_exchange(exchange(judge_of("Is it kind?"), FACTUAL), Asker(model=fail))

    assert [one.reason for one in result.verdicts] == ["the judge gave no answer: it broke"] * 2


async def test_what_a_shared_request_used_is_counted_once() -> None:
    asked = Judge()

    async def ask(questions: Questions, /) -> Answers:
        used = Usage(input_tokens=40, output_tokens=2, total_tokens=42)
        return replace(await asked(questions), usage=used, cost_usd=0.5)

    result = await judge_exchange(exchange(judge_of("Is it kind?"), FACTUAL), Asker(model=ask))

    assert [one.details["tokens"]["total"] for one in result.verdicts] == [42, 0]
    assert sum(one.details["cost_usd"] for one in result.verdicts) == 0.5


async def test_more_questions_than_a_request_takes_go_into_several() -> None:
    asked = Judge()
    many = judge_of([f"Is it {number}?" for number in range(60)])

    result = await judge_exchange(exchange(many, many, FACTUAL), asked)

    assert result.outcome is Outcome.PASSED
    assert sorted(len(one.questions) for one in asked.asked) == [60, 61]


class Apart(Judge):
    """Says of each criterion what its number says, and of an odd one only when asked for the second time."""

    async def __call__(self, questions: Questions, /) -> Answers:
        self.asked.append(questions)
        answers = {one.name: self._say(one.instructions) for one in questions.questions}
        return Answers(model="m", way="decisions", answers=answers)

    def _say(self, criterion: str) -> Answer:
        number = int(criterion.removeprefix("Is it "))
        before = sum(criterion == one.instructions for each in self.asked for one in each.questions)
        yes = 0.5 if number % 2 and before == 1 else float(number % 3 > 0)
        return Answer(name="", probabilities={"yes": yes, "no": 1 - yes})


class Unjoined:
    """Passes each question on by itself."""

    def __init__(self, asked: Judge) -> None:
        self.judge = asked.judge
        self._asked = asked

    async def __call__(self, questions: Questions, /) -> Answers:
        told = [await self._asked(replace(questions, questions=(one,))) for one in questions.questions]
        return replace(told[0], answers={name: answer for one in told for name, answer in one.answers.items()})


NUMBERS = st.integers(0, 10_000)
TREES = st.recursive(
    st.one_of(
        NUMBERS.map(lambda number: judge_of([f"Is it {number}", f"Is it {number + 20_000}"])),
        NUMBERS.map(lambda number: judge_of(f"Is it {number}", about="conversation")),
        st.sampled_from(["30 days", "never"]).map(lambda text: expectation({"value": text}, "contains")),
    ),
    lambda inner: st.tuples(st.sampled_from(["not", "any_of", "all_of"]), st.lists(inner, min_size=1, max_size=3)).map(
        lambda made: expectation({"expect": tuple(made[1])}, made[0])
    ),
    max_leaves=12,
)


@given(st.lists(TREES, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
async def test_sharing_requests_changes_no_verdict_and_nobody_waits_for_ever(trees: list[Expectation]) -> None:
    together, alone = Apart(), Apart()

    async with asyncio.timeout(10):
        shared = await judge_exchange(exchange(*trees), together)
        apart = await judge_exchange(exchange(*trees), Unjoined(alone))

    assert [one.outcome for one in shared.verdicts] == [one.outcome for one in apart.verdicts]
    # Two rounds, each about the turn and about the conversation.
    assert len(together.asked) <= 4


async def test_only_what_is_undecided_is_asked_again() -> None:
    asked = Judge(criterion_2=[0.5, 0.5, 0.9], criterion_4=[0.5, 0.9])

    verdict = await judge(asked, criteria=FOUR, votes=5)

    assert verdict.outcome is Outcome.PASSED
    assert [len(one.questions) for one in asked.asked] == [4, 2, 1, 1]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (0.65, Outcome.PASSED),
        (0.64, Outcome.ERRORED),
        (0.36, Outcome.ERRORED),
        (0.35, Outcome.FAILED),
        (None, Outcome.ERRORED),
    ],
)
async def test_the_bounds_are_part_of_what_they_bound(said: float | None, outcome: Outcome) -> None:
    assert (await judge(Judge(criterion_1=said))).outcome is outcome


@pytest.mark.parametrize(("bound", "outcome"), [("passes_at", Outcome.PASSED), ("fails_at", Outcome.FAILED)])
@pytest.mark.parametrize("written", ["0.7", "0.55", "0.58"])
async def test_a_bound_is_what_is_written_and_not_the_float_beside_it(
    bound: str, outcome: Outcome, written: str
) -> None:
    bounds = {"passes_at": Decimal("0.9"), "fails_at": Decimal("0.1"), bound: Decimal(written)}

    assert (await judge(Judge(criterion_1=float(written)), votes=1, **bounds)).outcome is outcome


@pytest.mark.parametrize(("said", "weak"), [(0.5, True), (0.9, False)])
async def test_what_passes_undecided_is_weak(said: float, weak: bool) -> None:
    verdict = await judge(Judge(criterion_1=said), undecided="pass")

    assert (verdict.outcome, verdict.weak) == (Outcome.PASSED, weak)


async def test_a_failed_criterion_outweighs_a_refused_one() -> None:
    verdict = await judge(Judge(criterion_1=None, criterion_2=0.1), criteria=FOUR)

    assert verdict.outcome is Outcome.FAILED
    assert "`criterion 2` holds with a probability of 0.10" in verdict.reason
    assert [one["votes"] for one in verdict.details["criteria"]] == [[], [0.1], [0.9], [0.9]]


async def test_the_judge_sees_a_refusal_that_is_expected() -> None:
    asked = Judge()
    one = exchange(
        expectation({}, "refuses"), judge_of("Is it polite?"), run=replace(RUN, text="", refusal="No, sorry.")
    )

    result = await judge_exchange(one, asked)

    assert result.outcome is Outcome.PASSED
    assert asked.asked[0].said[-1].text == "No, sorry."


async def test_levels_count_from_the_lowest_that_is_right() -> None:
    graded = {"name": "g", "ask": "How good?", "levels": ["bad", "fair", "good"], "at_least": "fair"}

    verdict = await judge(Judge(g={"bad": 0.2, "fair": 0.5, "good": 0.3}), criteria=[graded])

    assert (verdict.outcome, verdict.score) == (Outcome.PASSED, 0.8)


@pytest.mark.parametrize(("about", "said"), [("turn", 3), ("conversation", 5)])
async def test_the_judge_sees_the_turn_or_all_of_them_as_what_they_are(about: str, said: int) -> None:
    asked = Judge()

    await judge(asked, about=about)

    shown = asked.asked[0].said
    assert len(shown) == said
    assert [(one.by, one.text, one.output) for one in shown[-3:]] == [
        ("user", "Refund?", ""),
        ("tool", "refund", "30 days"),
        ("assistant", "30 days.", ""),
    ]


async def test_an_error_of_the_judge_is_an_error_after_one_more_attempt() -> None:
    attempts = []

    async def fail(questions: Questions, /) -> Answers:
        attempts.append(questions)
        raise RemoteError("it broke", status=500)

    async def sleep(_seconds: float) -> None:
        pass

    part = build_part(expectation({"criteria": "Is it polite?"}))
    verdict = await part.judge_asking(exchange(), Asker(model=fail, sleep=sleep))

    assert (verdict.outcome, len(attempts)) == (Outcome.ERRORED, 2)
    assert verdict.reason == "the judge gave no answer: it broke"


class SlowJudge(Judge):
    """Takes its seconds each time; after `ends_after` requests it says nothing more."""

    def __init__(self, seconds: float, ends_after: int = 100, **said: Any) -> None:
        super().__init__(**said)
        self.seconds, self.ends_after = seconds, ends_after

    async def __call__(self, questions: Questions, /) -> Answers:
        if len(self.asked) == self.ends_after:
            raise CheckBroken("the judge gave no answer: it broke")
        return replace(await super().__call__(questions), seconds=self.seconds)


@pytest.mark.parametrize(("seconds", "requests", "took"), [(100.0, 3, "300"), (299.0, 2, "598"), (15.0, 15, "")])
@pytest.mark.parametrize("undecided", ["error", "fail", "pass"])
async def test_a_judge_that_is_slow_each_time_is_not_asked_for_ever(
    seconds: float, requests: int, took: str, undecided: str
) -> None:
    slow = SlowJudge(seconds, criterion_1=0.5)

    verdict = await judge(slow, votes=15, undecided=undecided)

    assert len(slow.asked) == requests
    outcomes = {"error": Outcome.ERRORED, "fail": Outcome.FAILED, "pass": Outcome.PASSED}
    assert verdict.outcome is (Outcome.ERRORED if took else outcomes[undecided])
    assert verdict.details["criteria"][0]["votes"] == [0.5] * requests
    if took:
        says = f"it took the judge {took} s, and after 300 s it isn't asked again"
        undecided_by = f"0.50 after {requests} votes, between 0.35 and 0.65"
        assert verdict.reason == f"`criterion 1` is undecided: {undecided_by}; {says}"


async def test_a_judge_that_breaks_off_between_votes_leaves_its_numbers() -> None:
    verdict = await judge(SlowJudge(1.0, ends_after=1, criterion_1=0.5, criterion_2=0.9), criteria=FOUR[:2])

    assert verdict.outcome is Outcome.ERRORED
    assert verdict.reason == (
        "`criterion 1` is undecided: 0.50 after 1 vote, between 0.35 and 0.65; the judge gave no answer: it broke"
    )
    assert [one["probability"] for one in verdict.details["criteria"]] == [0.5, 0.9]
    assert verdict.details["requests"] == 1


@pytest.mark.parametrize("ending", [{"refusal": "No."}, {"status": RunStatus.INCOMPLETE}, {"text": ""}], ids=str)
async def test_no_judge_is_asked_about_an_answer_that_is_none(ending: dict[str, Any]) -> None:
    asked = Judge()
    one = exchange(expectation({"criteria": "Is it polite?"}), run=replace(RUN, **ending))

    result = await judge_exchange(one, asked)

    assert result.outcome in (Outcome.FAILED, Outcome.ERRORED)
    assert asked.asked == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fails_at": Decimal("0.7")}, "`fails_at: 0.7` has to be below `passes_at: 0.65`"),
        ({"criteria": [{"ask": "?", "choices": ["a", "b"]}]}, "`accept` and `choices` go together"),
        ({"criteria": [{"ask": "?", "choices": ["a", "b"], "accept": "c"}]}, "'c' is none of a, b"),
        ({"criteria": [{"ask": "?", "choices": ["a", "b"], "accept": ["a", "b"]}]}, "so it can't fail"),
        ({"criteria": [{"ask": "?", "levels": ["a", "b"], "at_least": "a"}]}, "so it can't fail"),
        ({"criteria": [{"ask": "?", "name": "x"}, {"ask": "!", "name": "x"}]}, "two criteria are called 'x'"),
    ],
)
def test_what_can_not_be_judged_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        build_part(expectation({"criteria": "Is it polite?", **parameters}))


def test_a_judge_stands_in_no_check_that_looks_at_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = expectation({"criteria": "Is it polite?"})
    build: Callable[[Expectation], object] = build_part

    with pytest.raises(ValueError, match="`judge` can't stand inside `contains`"):
        build(expectation({"value": (inner,)}, check="contains"))
