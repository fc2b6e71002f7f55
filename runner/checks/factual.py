"""A language model says whether the answer agrees with a reference."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Ask, Example, Exchange, parameters, text_field
from runner.checks._judging import FIELDS, Bounds, judge_criteria, read_criterion, show_exchange
from runner.domain.report import Finding

QUESTION = (
    "Does the last answer give what was asked for as the reference has it, and contradict the reference in nothing?"
)
MAIN_FIELD = "reference"
SCHEMA = parameters(
    "The judge says that the answer agrees with a reference: it gives what was asked for as the reference has it, and "
    "contradicts it in nothing. It may say more, or leave out what nobody asked for.",
    required=["reference"],
    reference=text_field("What is true.", "The tower is 330 metres high.", maxLength=64_000),
    **FIELDS,
)

EXAMPLES = (
    Example("factual: You pay 39.25 for burger and soda.", "That is $39.25.", PASSES, judge=0.95),
    Example("factual: You pay 39.25 for burger and soda.", "That is $40.", FAILS, judge=0.02),
    Example("factual: You pay 39.25 for burger and soda.", "About 39.", BREAKS, judge=0.5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Bounds):
    reference: str

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Finding:
        rubric = (
            "Compare the assistant's last answer with the reference, on facts alone: not on style, length or order.\n"
            f"The reference:\n{self.reference}"
        )
        criterion = read_criterion({"ask": QUESTION, "name": "factual"}, 1, rubric)
        said = show_exchange(exchange, is_whole=False)
        return await judge_criteria([criterion], said, self, ask)
