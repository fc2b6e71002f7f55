"""A language model says whether the conversation reached its goal."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Ask, Example, Exchange, parameters, text_field
from runner.checks._judging import FIELDS, Bounds, judge_criteria, read_criterion, show_exchange
from runner.domain.report import Finding

QUESTION = "Has the user reached the goal by the end of the conversation?"
MAIN_FIELD = "goal"
SCHEMA = parameters(
    "The judge says that the user has reached this goal by the end of the conversation.",
    required=["goal"],
    goal=text_field(
        "What the user wants to have reached.", "The flight is booked for the 3rd of May.", maxLength=64_000
    ),
    **FIELDS,
)

EXAMPLES = (
    Example("goal: The table is booked for 8 pm.", "Booked, number 7, for 8 pm.", PASSES, judge=0.9),
    Example("goal: The table is booked for 8 pm.", "I will see about it.", FAILS, judge=0.1),
    Example("goal: The table is booked for 8 pm.", "Booked, I think.", BREAKS, judge=0.5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Bounds):
    goal: str

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Finding:
        rubric = (
            "Judge whether the user of this conversation has reached a goal by its end. What the assistant merely "
            f"promises or claims, and nothing in the conversation bears out, is not reached.\nThe goal:\n{self.goal}"
        )
        criterion = read_criterion({"ask": QUESTION, "name": "goal"}, 1, rubric)
        said = show_exchange(exchange, is_whole=True)
        return await judge_criteria([criterion], said, self, ask)
