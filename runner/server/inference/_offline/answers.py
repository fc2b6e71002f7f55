"""Sentences of answers: first what was found and where, last the answer itself."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from runner.server.inference import Answer, SourceMark
from runner.server.inference._offline.computing import Result
from runner.server.inference._offline.documents import Document
from runner.server.inference._offline.expressions import Item, evaluate
from runner.server.inference._offline.lookup import Fact
from runner.server.inference._offline.matching import Finding
from runner.server.inference._offline.numbers import format_money, format_plain
from runner.server.inference._offline.priced_lines import read_priced_lines
from runner.server.inference._offline.question import NO_MONEY, Calculation, Currency, Note, Sense
from runner.server.inference._offline.recall import Memory

_SENTENCES = {
    Sense.TOTAL: "That makes {}.",
    Sense.VALUE: "That is {}.",
    Sense.LEFT: "That leaves {}.",
    Sense.DIFFERENCE: "The difference is {}.",
    Sense.AVERAGE: "The average is {}.",
    Sense.UNIT: "Per {unit}, that is {}.",
    Sense.PERCENT_OF: "That is {}.",
    Sense.WHAT_PERCENT: "That is {}%.",
}


def tell_result(calculation: Calculation, result: Result, currency: Currency, findings: Sequence[Finding]) -> Answer:
    """The answer to a calculation, with a mark behind each sentence that uses a document."""
    text, sources = "", []
    for document, found in _by_document(findings):
        quotes = " and ".join(f"“{finding.line.text}”" for finding in found)
        text += f"{document.filename} has {quotes}."
        sources.append(_mark(len(text), document, found[0].line.text))
        text += " "
    if calculation.sense is Sense.SPLIT:
        return Answer(text=text + _tell_split(calculation, result, currency), sources=tuple(sources))
    return Answer(text=text + _tell_value(calculation, result, currency, findings), sources=tuple(sources))


def _by_document(findings: Sequence[Finding]) -> tuple[tuple[Document, tuple[Finding, ...]], ...]:
    documents = {finding.document.file_id: finding.document for finding in findings}
    return tuple(
        (document, tuple(finding for finding in findings if finding.document.file_id == file_id))
        for file_id, document in documents.items()
    )


def _tell_value(calculation: Calculation, result: Result, currency: Currency, findings: Sequence[Finding]) -> str:
    value = abs(result.value) if calculation.sense is Sense.DIFFERENCE else result.value
    sentence = _SENTENCES[calculation.sense].format(_format(value, currency), unit=calculation.unit)
    if _is_plain_sum(result, findings) and _has_tax_on_top(findings):
        sentence = "Without tax or tip on top, that" + sentence.removeprefix("That")
    if result.left_over:
        sentence = "Rounded to the cent, " + sentence[0].lower() + sentence[1:]
    return sentence


def _tell_split(calculation: Calculation, result: Result, currency: Currency) -> str:
    people = format_plain(calculation.people) if calculation.people is not None else ""
    whole = _format(evaluate(calculation.whole), currency) if calculation.whole is not None else ""
    each = _format(result.value, currency)
    if not result.left_over:
        return f"{whole} shared by {people} is {each} each."
    rest = _format(abs(result.left_over), currency)
    remark = f"leaves {rest} over" if result.left_over > 0 else f"is {rest} too much"
    if abs(result.left_over) < 1 and _format(abs(result.left_over), currency) == _format(Decimal(0), currency):
        return f"{whole} shared by {people} is {each} each."
    return f"{whole} does not divide evenly by {people}: {people} × {each} {remark}. To the cent, each pays {each}."


def _is_plain_sum(result: Result, findings: Sequence[Finding]) -> bool:
    """Whether the result is what several things cost together, and nothing on top of it."""
    prices = [evaluate(finding.expression) for finding in findings if isinstance(finding.leaf, Item)]
    return len(prices) > 1 and sum(prices, Decimal(0)) == result.value


def _has_tax_on_top(findings: Sequence[Finding]) -> bool:
    """Whether a document whose items were summed adds a tax to them."""
    documents = {finding.document.file_id: finding.document for finding in findings if isinstance(finding.leaf, Item)}
    return any(
        line.sums_up and {"tax", "vat", "gst"} & set(line.words)
        for document in documents.values()
        for line in read_priced_lines(document.lines)
    )


def tell_fact(fact: Fact) -> Answer:
    text = f"{fact.document.filename} says: “{fact.quote}”"
    mark = _mark(len(text), fact.document, fact.quote)
    if fact.value and not fact.quote.rstrip(".").endswith(fact.value):
        text += f" So: {fact.value}."
    return Answer(text=text, sources=(mark,))


def tell_memory(memory: Memory) -> Answer:
    text = f"You said: “{memory.quote}”"
    if memory.value and not memory.quote.rstrip(".").endswith(memory.value):
        text += f" So: {memory.value}."
    return Answer(text=text)


def tell_note(note: Note) -> Answer:
    return Answer(text=f"Noted: “{note.text}”")


def _mark(position: int, document: Document, quote: str) -> SourceMark:
    return SourceMark(position=position, file_id=document.file_id, filename=document.filename, quote=quote)


def _format(value: Decimal, currency: Currency) -> str:
    if currency == NO_MONEY or currency.text is None:
        return format_plain(value)
    return format_money(value, currency.text, leads=currency.leads)
