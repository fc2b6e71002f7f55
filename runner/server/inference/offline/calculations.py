"""Arithmetic: from the words of a question to one calculation on its amounts, and the sentence that tells it."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from runner.server.inference import Answer, Role, SceneMessage, SourceMark
from runner.server.inference.offline.arithmetic import (
    PERCENT,
    UNKNOWN,
    VALUE,
    Amount,
    Calculation,
    Draft,
    Sense,
    add,
    given,
    plain,
    read_output,
    split,
    tell,
    work_out,
    write_program,
)
from runner.server.inference.offline.memory import read_statements
from runner.server.inference.offline.prices import Price, PriceList, Thing, mark_things
from runner.server.inference.offline.question import MAX_MESSAGE_CHARS, NotSure, Question
from runner.server.inference.offline.word_problems import PERSON_CHANGES, read_people, read_problem
from runner.server.inference.offline.words import CHANGING, prepare, search_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the thread holds for later questions: the last result, what "that" means, how many people, named amounts."""

    last: Calculation | None = None
    earlier: Amount | None = None
    people: Decimal | None = None
    stated: Mapping[str, Amount] = field(default_factory=dict)


def answer(question: Question) -> Answer | None:
    """The result, with the lines that it rests on."""
    known = _read_thread(question.scene.messages)
    text, wanted = prepare(question.message.text), list[Thing]()

    def note(thing: Thing) -> Amount:
        wanted.append(thing)
        return given(Decimal(1), UNKNOWN, is_found=True)

    calculation = read_calculation(text, known, note)
    if calculation is None:
        return None
    prices: tuple[Price, ...] = ()
    if wanted:
        listed = PriceList(question.search([search_words(thing.name) for thing in wanted]))
        prices = tuple(listed.find(thing) for thing in wanted)
        amounts = {price.thing: price.amount for price in prices}
        calculation = read_calculation(text, known, amounts.__getitem__) or calculation
    output = None if calculation.amount.is_given else question.run(write_program(calculation))
    told = tell(calculation, work_out(calculation) if output is None else read_output(output))
    is_sum = len(prices) > 1 and sum(price.amount.value for price in prices) == calculation.amount.value
    if is_sum and any(listed.has_tax(price.document) for price in prices):
        told = f"Without tax or tip on top, {told[0].lower()}{told[1:]}"
    return _with_sources(prices, told)


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
    for name in sorted(known.stated, key=len, reverse=True):
        # "My budget" is the amount that was told, unless it is told again.
        mark = draft.add(known.stated[name])
        draft.text = re.sub(
            rf"\b(?:my|our|the) {name}\b(?! (?:(?:is|was|are|of) ?#m|per|each|an?)\b)", mark, draft.text
        )
    mark_things(draft, price_of)
    speaks_of_earlier = _mark_earlier(draft, known.earlier)
    calculation = _read_sentence(draft) or read_problem(draft, known.people)
    if speaks_of_earlier and calculation and known.last and known.last.sense is calculation.sense is Sense.SPLIT:
        raise NotSure("it may mean the whole amount or one share of it")
    return calculation


# The thread.


def _read_thread(messages: Sequence[SceneMessage]) -> Known:
    known = Known()
    for message, reply in itertools.pairwise(messages):
        if message.role is Role.USER and len(message.text) <= MAX_MESSAGE_CHARS:
            was_answered = reply.role is Role.ASSISTANT and not reply.declined
            known = _remember(known, message.text, was_answered=was_answered)
    return known


_NAMED = re.compile(
    r"\b(?:my|our) (?P<name>[a-z]+(?: [a-z]+)?)(?: for (?:the |our |my |this )?[a-z ]+?)? (?:is|was|are|of) "
    r"(?P<mark>#m\d+)(?= (?:\.|,|!|;|and|in total|altogether)|$)"
)


_CORRECTS = re.compile(r"\b(?:actually|correction|instead|changed|now|sorry|new|no longer|i meant)\b", re.IGNORECASE)


def _remember(known: Known, message: str, *, was_answered: bool) -> Known:
    told = Draft(prepare(" ".join(read_statements(message))))
    named = {found["name"]: told.amount(found["mark"]) for found in _NAMED.finditer(told.text)}
    if (CHANGING - {"budget"}) & set(told.text.split()):
        named = {}
    marks = re.findall(r"#m\d+", told.text)
    people, last = read_people(told), None
    with contextlib.suppress(NotSure):
        last = read_calculation(prepare(message), known, _no_price) if was_answered else None
    earlier = told.amount(marks[0]) if len(marks) == 1 and was_answered and not message.endswith("?") else None
    if people and known.people and people != known.people and not _CORRECTS.search(message):
        people = Decimal(0)  # "2 of us are children": nobody knows who is to share.
    elif people is None:
        people = known.people or (last.people if last else None)
    stated = {**known.stated, **named}
    return Known(last=last, earlier=last.amount.shown() if last else earlier, people=people, stated=stated)


def _no_price(thing: Thing) -> Amount:
    raise NotSure(f"the price of '{thing.name}' was found for an earlier question")


def _read_change(draft: Draft, known: Known) -> Calculation | None:
    """The last split among more or fewer people ("and if 2 of us don't come?"); None if no such change is asked."""
    for pattern, change in PERSON_CHANGES:
        found = pattern.fullmatch(draft.text)
        if found is None:
            continue
        last, number = known.last, draft.amount(re.findall(r"#n\d+", found[0])[0]).value
        if last is None or last.whole is None or last.people is None:
            raise NotSure("there is no earlier amount that was shared among people")
        return split(last.whole, last.people + change * number if change else number)
    return None


_THAT = re.compile(
    r"\b(?P<verb>of|on|to|from|by|split|divide|share|is|add|times|was|plus) (?:that|it|this)"
    r"(?= (?:between|among|by|into|in #|(?:for )?each|for every|per (?:person|head)|#n|plus|minus|times|equally|evenly"
    r"|\?|,|\.)|$)"
)


def _mark_earlier(draft: Draft, earlier: Amount | None) -> bool:
    """Replace "that" and "it" by the last result; where the question has one amount before them, they mean that one.

    False if the last result is not spoken of.
    """
    count, own = len(draft.amounts), re.findall(r"#m\d+", draft.text)

    def change(found: re.Match[str]) -> str:
        adds = found["verb"] in {"to", "from"}
        if len(own) == 1 and own[0] in found.string[: found.start()] and not adds:
            return found["verb"]
        is_meant = earlier is not None and (adds or not own)
        return f"{found['verb']} {draft.add(earlier)}" if earlier is not None and is_meant else found[0]

    draft.text = _THAT.sub(change, draft.text)
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
_PLUS, _MINUS, _PART = "{a} * (100 + {p}) / 100", "{a} * (100 - {p}) / 100", "{a} * {p} / 100"
_SENTENCES = (
    (rf"(?:(?:sum|total) of|add(?: up)?) {_LIST}", "{list}", Sense.TOTAL),
    (rf"(?:average|mean|average value) of {_LIST}", "({list}) / {count}", Sense.AVERAGE),
    (rf"add {_A} to {_B}", "{a} + {b}", Sense.TOTAL),
    (rf"difference (?:in (?:price|cost) )?between {_A} and {_B}", "{a} - {b}", Sense.DIFFERENCE),
    (rf"(?:subtract|take|deduct) {_B} from {_A}", "{a} - {b}", Sense.VALUE),
    (rf"(?:divide|quotient of) {_A} (?:by|and) {_B}", "{a} / {b}", Sense.VALUE),
    (rf"(?:multiply|product of) {_A} (?:by|with|and) {_B}", "{a} * {b}", Sense.VALUE),
    (rf"(?:an? )?{_P} of {_A}", _PART, Sense.VALUE),
    (rf"(?:an? )?{_P}{_EXTRA} (?:on|of|for) (?:a |the )?(?:bill of )?{_A}(?: bill)?", _PART, Sense.VALUE),
    (rf"{_A} (?:plus|increased by) (?:an? )?{_P}{_EXTRA}?", _PLUS, Sense.TOTAL),
    (rf"{_A} (?:with|and) (?:an? )?{_P}(?:{_EXTRA}| added| on top)+", _PLUS, Sense.TOTAL),
    (rf"{_P} (?:off|off of) {_A}", _MINUS, Sense.TOTAL),
    (rf"{_A} (?:with|after|at|minus) (?:an? )?{_P} (?:off|discount|reduction)", _MINUS, Sense.TOTAL),
    (rf"what (?:percent|percentage) (?:of {_A} is {_B})", "{b} * 100 / {a}", Sense.PERCENT),
    (rf"what (?:percent|percentage) is {_B} of {_A}", "{b} * 100 / {a}", Sense.PERCENT),
    (rf"(?P<formula>[-+*/() ]*{VALUE}(?:[-+*/() ]+{VALUE})+[) ]*)", "{formula}", Sense.VALUE),
)
_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "x": "*", "multiplied by": "*", "divided by": "/", "÷": "/"}
MAX_FORMULA_CHARS = 200


def _read_sentence(draft: Draft) -> Calculation | None:
    """The calculation if the whole text is one of these sentences."""
    operator = re.compile(rf" ({'|'.join(_OPERATORS)}) (?=[#(-])")
    written = operator.sub(lambda found: f" {_OPERATORS[found[1]]} ", draft.text)
    for pattern, formula, sense in _SENTENCES:
        found = re.fullmatch(_PREFIX + pattern + _ENDING, written if "formula" in formula else draft.text)
        if found is None:
            continue
        listed = re.findall(VALUE, found.groupdict().get("list") or "")
        text = formula.format_map({**found.groupdict(), "list": " + ".join(listed), "count": len(listed)})
        amount = _evaluate(text.strip(), draft)
        if sense is Sense.PERCENT and amount.is_money:
            raise NotSure("money and plain numbers are mixed")
        return Calculation(amount=amount, sense=sense, is_positive=sense is Sense.TOTAL)
    return None


def _evaluate(formula: str, draft: Draft) -> Amount:
    if len(formula) > MAX_FORMULA_CHARS:
        raise NotSure("the formula is very long")
    try:
        return _work_through(ast.parse(formula.replace("#", "_"), mode="eval").body, draft)
    except SyntaxError:
        raise NotSure("the formula is not complete") from None


def _work_through(node: ast.expr, draft: Draft) -> Amount:
    match node:
        case ast.Name(id=name):
            return draft.amount(name.replace("_", "#"))
        case ast.Constant(value=int(number)):
            return plain(Decimal(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return plain(Decimal(-1)).times(_work_through(operand, draft))
        case ast.BinOp(left=left, op=operator, right=right):
            one, two = _work_through(left, draft), _work_through(right, draft)
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
