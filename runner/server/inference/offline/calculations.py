"""Arithmetic: from the words of a question to the amounts in them, to one calculation, to the sentence that tells it."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from runner.server.inference import Answer, Role, SceneMessage, SourceMark
from runner.server.inference.offline.arithmetic import (
    NO_MONEY,
    Amount,
    Calculation,
    Currency,
    Sense,
    add,
    average,
    given,
    plain,
    read_output,
    split,
    tell,
    work_out,
    write_program,
)
from runner.server.inference.offline.draft import PERCENT, VALUE, Draft, mark_sums, mark_things, names_other_amount
from runner.server.inference.offline.memory import read_statements
from runner.server.inference.offline.numbers import read_shape
from runner.server.inference.offline.prices import Price, PriceList, Thing
from runner.server.inference.offline.question import MAX_MESSAGE_CHARS, NotSure, Question
from runner.server.inference.offline.word_problems import PERSON_CHANGES, read_people, read_problem
from runner.server.inference.offline.words import CHANGING, prepare, search_words

_ASKS_OTHERWISE = re.compile(
    r"^(?:(?:and|but|so|ok|okay|hi|hello|please|then|thanks) ,? ?)*(?:when|where|why|who|whom|whose|which|is|are|was|were"
    r"|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had|am)\b(?! you\b)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the thread holds for later questions: the last result, what "that" means, how many people, named amounts."""

    last: Calculation | None = None
    earlier: Amount | None = None
    people: Decimal | None = None
    stated: Mapping[str, Amount] = field(default_factory=dict)


def answer(question: Question) -> Answer | None:
    """The result, with the lines that it rests on."""
    known = _read_thread(question.earlier)
    text, wanted = prepare(question.message.text), list[Thing]()

    def note(thing: Thing) -> Amount:
        wanted.append(thing)
        return given(Decimal(1), Currency(text=""), is_found=True)

    try:
        calculation = read_calculation(text, known, note)
    except NotSure:
        if wanted or _has_amounts(text):
            raise
        return None
    if calculation is None:
        return None
    prices, without_tax = (), False
    if wanted:
        listed = PriceList(question.search([search_words(thing.name) for thing in wanted]))
        prices = tuple(listed.find(thing) for thing in wanted)
        amounts = {price.thing: price.amount for price in prices}
        calculation = read_calculation(text, known, amounts.__getitem__) or calculation
        without_tax = _is_plain_sum(calculation, prices) and any(listed.has_tax(price.document) for price in prices)
    output = None if calculation.amount.is_given else question.run(write_program(calculation))
    result = work_out(calculation) if output is None else read_output(output)
    told = tell(calculation, result)
    if without_tax:
        told = f"Without tax or tip on top, {told[0].lower()}{told[1:]}"
    return _with_sources(prices, told)


def _has_amounts(text: str) -> bool:
    return any(one.kind != "n" for one in read_shape(text).quantities)


def _is_plain_sum(calculation: Calculation, prices: Sequence[Price]) -> bool:
    """Whether the result is what several things cost together, and nothing on top of it."""
    things = [price.amount.value for price in prices if not price.thing.is_sum]
    return len(things) > 1 and sum(things, Decimal(0)) == calculation.amount.value


def _with_sources(prices: Sequence[Price], told: str) -> Answer:
    text, sources = "", list[SourceMark]()
    for document in {price.document.file_id: price.document for price in prices}.values():
        lines = [price.line.text for price in prices if price.document is document]
        text += f"{document.filename} has {' and '.join(f'“{line}”' for line in lines)}."
        mark = SourceMark(position=len(text), file_id=document.file_id, filename=document.filename, quote=lines[0])
        sources.append(mark)
        text += " "
    return Answer(text=text + told, sources=tuple(sources))


def read_calculation(prepared: str, known: Known, price_of: Callable[[Thing], Amount]) -> Calculation | None:
    """The calculation that a prepared question asks for; None if it asks for none.

    Raises NotSure where it asks for one that the rules don't cover.
    """
    draft = Draft(prepared)
    changed = _read_change(draft, known)
    if changed is not None:
        return changed
    if _ASKS_OTHERWISE.match(re.split(r" [.!;] ", draft.text.rstrip(" ?.!"))[-1]):
        return None
    _mark_stated(draft, known.stated)
    listed = mark_things(draft, price_of)
    if listed and names_other_amount(draft, listed=listed):
        raise NotSure("it speaks of things and of another amount of the document")
    mark_sums(draft, price_of)
    speaks_of_earlier = _mark_earlier(draft, known.earlier)
    calculation = _read_template(draft) or read_problem(draft, prepared, known.people)
    is_again = calculation is not None and known.last is not None and known.last.sense is calculation.sense
    if is_again and speaks_of_earlier and known.last is not None and known.last.sense is Sense.SPLIT:
        raise NotSure("it may mean the whole amount or one share of it")
    return calculation


# The thread.


def _read_thread(messages: Sequence[SceneMessage]) -> Known:
    known = Known()
    for index, message in enumerate(messages):
        if message.role is Role.USER and len(message.text) <= MAX_MESSAGE_CHARS:
            reply = messages[index + 1] if index + 1 < len(messages) else None
            was_answered = reply is not None and reply.role is Role.ASSISTANT and not reply.declined
            known = _remember(known, message.text, was_answered=was_answered)
    return known


_NAMED = re.compile(
    r"\b(?:my|our) (?P<name>[a-z]+(?: [a-z]+)?)(?: for (?:the |our |my |this )?[a-z ]+?)? (?:is|was|are|of) "
    r"(?P<mark>#m\d+)(?= (?:\.|,|!|;|and|in total|altogether)|$)"
)


def _remember(known: Known, message: str, *, was_answered: bool) -> Known:
    told = Draft(prepare(" ".join(one.text for one in read_statements(message))))
    stated = {
        **known.stated,
        **{
            found["name"]: draft_amount
            for found in _NAMED.finditer(told.text)
            if not CHANGING - {"budget"} & set(found["name"].split()) and (draft_amount := told.amount(found["mark"]))
        },
    }
    marks = re.findall(r"#m\d+", told.text)
    earlier = told.amount(marks[0]) if len(marks) == 1 else None
    people, last = None, None
    with contextlib.suppress(NotSure):
        people = read_people(told)
    with contextlib.suppress(NotSure):
        last = read_calculation(prepare(message), known, _no_price) if was_answered else None
    if last is not None:
        people = people or (last.people if known.people is None else None)
        return replace(known, stated=stated, people=people or known.people, last=last, earlier=last.amount.shown())
    is_told = was_answered and not message.rstrip().endswith("?")
    return replace(known, stated=stated, people=people or known.people, last=None, earlier=earlier if is_told else None)


def _no_price(thing: Thing) -> Amount:
    raise NotSure(f"the price of '{thing.name}' was found for an earlier question")


def _read_change(draft: Draft, known: Known) -> Calculation | None:
    """The last split among more or fewer people ("and if 2 of us don't come?"); None if no such change is asked."""
    for pattern, change in PERSON_CHANGES:
        found = pattern.fullmatch(draft.text)
        if found is None:
            continue
        last, number = known.last, draft.number(found["n"])
        if last is None or last.whole is None or last.people is None:
            raise NotSure("there is no earlier amount that was shared among people")
        people = number if not change else last.people + change * number
        if people <= 0:
            raise NotSure("nobody would be left to pay")
        return split(last.whole, people)
    return None


_THAT = re.compile(
    r"\b(?P<verb>of|on|to|from|by|split|divide|share|is|add|times|was|plus|does) (?:that|it|this)"
    r"(?= (?:between|among|by|into|in #|(?:for )?each|for every|per (?:person|head)|#n|plus|minus|times|equally"
    r"|evenly|with #|come|\?|,|\.)|$)"
)


def _mark_stated(draft: Draft, stated: Mapping[str, Amount]) -> None:
    """Replace "my budget" by the amount that the user gave it earlier, where the question gives it none."""
    names = "|".join(re.escape(name) for name in sorted(stated, key=len, reverse=True))
    if names:
        pattern = rf"\b(?:my|our|the) (?P<name>{names})\b(?! (?:is|was|are|of) ?#m)"
        draft.replace(pattern, lambda found: draft.add(stated[found["name"]]))


def _mark_earlier(draft: Draft, earlier: Amount | None) -> bool:
    """Replace "that" and "it" by the last result; where the question has one amount of its own, they mean that one.

    False if the last result is not spoken of.
    """
    count = len(draft.amounts)
    own = re.findall(r"#m\d+", draft.text)

    def change(found: re.Match[str]) -> str | None:
        adds = found["verb"] in {"to", "from"}
        if len(own) == 1 and own[0] in found.string[: found.start()] and not adds:
            return found["verb"]
        if earlier is None or (own and not adds):
            return None
        # The comma keeps "that per person" from reading as a price per person.
        is_shared = re.match(r" (?:for )?(?:each|every|per)\b", found.string[found.end() :])
        return f"{found['verb']} {draft.add(earlier)}{' ,' if is_shared else ''}"

    draft.replace(_THAT, change)
    return len(draft.amounts) > count


# Sentences whose arithmetic is written out: "20% of $54.20", "the average of 3, 4 and 8", "12 * (3 + 4)".

_PREFIX = (
    r"(?:(?:hi|hello|hey|please|ok|so|and|then|can you|could you|would you|,|tell me|for me) )*"
    r"(?:what is|what would be|what would|what are|what does|what do|how much is|how much are|how much would|"
    r"calculate|compute|work out|find|give me|tell me)?(?: the)?(?: result of)? ?"
)
_ENDING = r"(?: (?:exactly|please|equal|make|in total|altogether|be|for me|come to|,))*[ .?!=]*"
_A, _B, _P = rf"(?P<a>{VALUE})", rf"(?P<b>{VALUE})", rf"(?P<p>{PERCENT})"
_LIST = rf"(?P<list>{VALUE}(?:(?: ?, ?and | ?, ?| and | & ){VALUE})+)"
_EXTRA = r"(?: (?:tip|gratuity|tax|sales tax|vat|service charge|service|surcharge))"
_MORE = r"(?:how much )?more(?: expensive)? (?:is|are|was|does)"
_LESS = r"(?:how much )?(?:less|cheaper) (?:is|are|was|does)"
_OPERATORS = {
    "plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "over": "/", "x": "*", "÷": "/",
}  # fmt: skip
MAX_FORMULA_TOKENS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """What a template's marks stand for; those that it hasn't are 0."""

    a: Amount
    b: Amount
    p: Decimal
    list: tuple[Amount, ...]


def _what_percent(v: _Values) -> Amount:
    if v.a.is_money != v.b.is_money:
        raise NotSure("money and plain numbers are mixed")
    return replace(v.b.times(plain(Decimal(100))).over(v.a), currency=NO_MONEY)


_TEMPLATES: tuple[tuple[str, Sense, Callable[[_Values], Amount]], ...] = (
    (rf"(?:(?:sum|total) of|add (?:up )?) ?{_LIST}", Sense.TOTAL, lambda v: add(v.list)),
    (rf"(?:average|mean|arithmetic mean|average value) of {_LIST}", Sense.AVERAGE, lambda v: average(v.list)),
    (rf"add {_A} to {_B}", Sense.TOTAL, lambda v: add((v.a, v.b))),
    (rf"difference (?:in (?:price|cost) )?between {_A} and {_B}", Sense.DIFFERENCE, lambda v: v.a.minus(v.b)),
    (rf"{_MORE} {_A}(?: cost)? than {_B}", Sense.DIFFERENCE, lambda v: v.a.minus(v.b)),
    (rf"{_LESS} {_A}(?: cost)? than {_B}", Sense.DIFFERENCE, lambda v: v.b.minus(v.a)),
    (rf"(?:subtract|take|deduct) {_B} from {_A}", Sense.VALUE, lambda v: v.a.minus(v.b)),
    (rf"divide {_A} by {_B}", Sense.VALUE, lambda v: v.a.over(v.b)),
    (rf"quotient of {_A} and {_B}", Sense.VALUE, lambda v: v.a.over(v.b)),
    (rf"multiply {_A} (?:by|with) {_B}", Sense.VALUE, lambda v: v.a.times(v.b)),
    (rf"product of {_A} and {_B}", Sense.VALUE, lambda v: v.a.times(v.b)),
    (rf"(?:an? )?{_P} of {_A}", Sense.VALUE, lambda v: v.a.percent(v.p)),
    (
        rf"(?:an? )?{_P}{_EXTRA} (?:on|of|for) (?:a |the )?(?:bill of )?{_A}(?: bill)?",
        Sense.VALUE,
        lambda v: v.a.percent(v.p),
    ),
    (rf"{_A} (?:plus|increased by) (?:an? )?{_P}{_EXTRA}?", Sense.TOTAL, lambda v: v.a.changed_by(v.p)),
    (rf"{_A} (?:with|and) (?:an? )?{_P}(?:{_EXTRA}| added| on top)+", Sense.TOTAL, lambda v: v.a.changed_by(v.p)),
    (rf"increase {_A} by {_P}", Sense.TOTAL, lambda v: v.a.changed_by(v.p)),
    (rf"{_P} (?:off|off of) {_A}", Sense.TOTAL, lambda v: v.a.changed_by(-v.p)),
    (rf"{_A} (?:minus|reduced by|decreased by|discounted by) {_P}", Sense.TOTAL, lambda v: v.a.changed_by(-v.p)),
    (
        rf"{_A} (?:with|after|at|minus) (?:an? )?{_P} (?:off|discount|reduction)",
        Sense.TOTAL,
        lambda v: v.a.changed_by(-v.p),
    ),
    (rf"(?:decrease|reduce|lower) {_A} by {_P}", Sense.TOTAL, lambda v: v.a.changed_by(-v.p)),
    (rf"what (?:percent|percentage) of {_A} is {_B}", Sense.PERCENT, _what_percent),
    (rf"what (?:percent|percentage) is {_B} of {_A}", Sense.PERCENT, _what_percent),
    (rf"{_B} is what (?:percent|percentage) of {_A}", Sense.PERCENT, _what_percent),
)


def _read_template(draft: Draft) -> Calculation | None:
    """The calculation if the whole text is one of these sentences, or a formula."""
    for pattern, sense, work in _TEMPLATES:
        found = re.fullmatch(_PREFIX + pattern + _ENDING, draft.text)
        if found is not None:
            marks = found.groupdict()
            values = _Values(
                a=draft.amount(marks.get("a")),
                b=draft.amount(marks.get("b")),
                p=draft.amount(marks.get("p")).value,
                list=tuple(draft.amount(mark) for mark in re.findall(VALUE, marks.get("list") or "")),
            )
            return Calculation(amount=work(values), sense=sense, is_positive=" than " in pattern)
    return _read_formula(draft)


def _read_formula(draft: Draft) -> Calculation | None:
    names = "|".join(sorted(_OPERATORS, key=len, reverse=True))
    text = re.sub(rf" (?:{names}) ", lambda found: f" {_OPERATORS[found[0].strip()]} ", draft.text)
    found = re.fullmatch(rf"{_PREFIX}(?P<formula>[-+*/() ]*{VALUE}(?:[-+*/() ]|{VALUE})*){_ENDING}", text)
    tokens = re.findall(rf"{VALUE}|[-+*/()]", found["formula"]) if found else []
    if len(tokens) < 3 or len(re.findall(VALUE, " ".join(tokens))) < 2:
        return None
    if len(tokens) > MAX_FORMULA_TOKENS:
        raise NotSure("the formula is very long")
    try:
        tree = ast.parse(" ".join(tokens).replace("#", "_"), mode="eval").body
    except SyntaxError:
        raise NotSure("the formula is not complete") from None
    return Calculation(amount=_evaluate(tree, draft), sense=Sense.VALUE)


def _evaluate(node: ast.expr, draft: Draft) -> Amount:
    match node:
        case ast.Name(id=name):
            return draft.amount(name.replace("_", "#"))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return plain(Decimal(-1)).times(_evaluate(operand, draft))
        case ast.BinOp(left=left, op=operator, right=right):
            one, two = _evaluate(left, draft), _evaluate(right, draft)
            match operator:
                case ast.Add():
                    return add((one, two))
                case ast.Sub():
                    return one.minus(two)
                case ast.Mult():
                    return one.times(two)
                case ast.Div():
                    return one.over(two)
    raise NotSure("the formula is not complete")
