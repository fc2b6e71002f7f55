"""Arithmetic: from the words of a question to one calculation on its amounts, and the sentence that tells it."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from runner.server.inference import Answer, Role, SceneMessage, SourceMark
from runner.server.inference.offline.amounts import (
    PERCENT,
    TAXES,
    UNKNOWN,
    VALUE,
    Amount,
    Calculation,
    Draft,
    PricedLine,
    PriceList,
    Sense,
    Thing,
    add,
    given,
    mark_things,
    name_stems,
    plain,
    read_output,
    split,
    tell,
    work_out,
    write_program,
)
from runner.server.inference.offline.facts import CORRECTS, read_statements
from runner.server.inference.offline.question import (
    CHANGING,
    MAX_MESSAGE_CHARS,
    PREPOSITIONS,
    NotSure,
    Question,
    prepare,
    stem,
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
    known = _read_thread(question.scene.messages)
    text, wanted = prepare(question.message.text), list[Thing]()

    def note(thing: Thing) -> Amount:
        wanted.append(thing)
        return given(Decimal(1), UNKNOWN, is_found=True)

    calculation = read_calculation(text, known, note)
    if calculation is None:
        return None
    prices: tuple[tuple[Amount, PricedLine], ...] = ()
    if wanted:
        listed = PriceList(question.search([thing.name for thing in wanted]))
        prices = tuple(listed.find(thing) for thing in wanted)
        amounts = {thing: amount for thing, (amount, _) in zip(wanted, prices, strict=True)}
        calculation = read_calculation(text, known, amounts.__getitem__) or calculation
    output = None if calculation.amount.is_given else question.run(write_program(calculation))
    told = tell(calculation, work_out(calculation) if output is None else read_output(output))
    is_sum = sum(amount.value for amount, _ in prices) == calculation.amount.value
    is_bill = len(prices) > 1 or re.search(r"\b(?:pay|owe)\b", text) is not None
    if is_sum and is_bill and any(TAXES & name_stems(line.name) for line in listed.lines):
        told = f"Without tax or tip on top, {told[0].lower()}{told[1:]}"
    text, sources = "", list[SourceMark]()
    for document in {line.document.file_id: line.document for _, line in prices}.values():
        lines = [line.text for _, line in prices if line.document is document]
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
    if (changed := _read_change(draft, known)) is not None:
        return changed
    for name in sorted(known.stated, key=len, reverse=True):
        # "My budget" is the amount that was told, unless it is told again.
        mark = draft.add(known.stated[name])
        draft.text = re.sub(
            rf"\b(?:my|our|the) {name}\b(?! (?:(?:is|was|are|of) ?#m|per|each|an?)\b)", mark, draft.text
        )
    mark_things(draft, price_of)
    speaks_of_earlier = _mark_earlier(draft, known)
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


_AMOUNT_ENDS = r" (?:\.|,|!|;|and(?! #)|in total|altogether)|$"
_WE_ARE = re.compile(r"\b(?:we are #n\d+(?: people)?|there are #n\d+ of us)(?= (?:[.;!]|so)|$)")
_NAMED = re.compile(
    r"\b(?:my|our) (?P<name>[a-z]+(?: [a-z]+)?)(?: for (?:the|our|my|this) (?:trip|journey|holiday|party))? "
    rf"(?:is|was|are|of) (?P<mark>#m\d+)(?={_AMOUNT_ENDS})"
)


def _remember(known: Known, message: str, *, was_answered: bool) -> Known:
    prepared, last = prepare(message), None
    with contextlib.suppress(NotSure):
        last = read_calculation(prepared, known, _no_price) if was_answered else None
    if last is not None:  # "That" is what was told: money to the cent.
        is_changed = PERSON_CHANGE.fullmatch(Draft(prepared).text) is not None
        is_exact = last.amount.is_money or last.amount.value == round(last.amount.value, 6)
        earlier = given(work_out(last), last.amount.currency) if is_exact else None
        return replace(known, earlier=earlier, last=None if is_changed else last)
    told = Draft(prepare(" ".join(read_statements(message))))
    if not told.text:
        return replace(known, earlier=None, last=None)
    named = {found["name"]: told.amount(found["mark"]) for found in _NAMED.finditer(told.text)}
    marks, counts = re.findall(r"#m\d+", told.text), _marked(told, told.text, "n")
    people = counts[0].value if len(counts) == 1 and _WE_ARE.search(told.text) else None
    if not was_answered or not (marks or people) or (CHANGING - {"budget"}) & set(told.text.split()):
        return Known()  # What else is said may change all that was told.
    corrects = CORRECTS.search(message) is not None
    stated = {**known.stated, **named} if len(marks) == len(named) else {}
    unclear = {one for one in named if not corrects and known.stated.get(one, named[one]) != named[one]}
    is_only_one = len(marks) == 1 and (known.earlier is None or known.last is not None)
    return Known(
        earlier=told.amount(marks[0]) if is_only_one and re.search(rf"#m\d+(?={_AMOUNT_ENDS})", told.text) else None,
        people=people if corrects or known.people in (None, people) else known.people if people is None else None,
        stated={one: amount for one, amount in stated.items() if one not in unclear},
    )


def _no_price(thing: Thing) -> Amount:
    raise NotSure(f"the price of '{thing.name}' was found for an earlier question")


def _read_change(draft: Draft, known: Known) -> Calculation | None:
    """The last split among more or fewer people ("and if 2 of us don't come?"); None if no such change is asked."""
    found, last = PERSON_CHANGE.fullmatch(draft.text), known.last
    if found is None:
        return None
    if last is None or last.whole is None or last.people is None:
        raise NotSure("there is no earlier amount that was shared among people")
    number = _marked(draft, found[0], "n")[0].value
    change = -number if found["less"] else number if found["more"] else number - last.people
    return split(last.whole, last.people + change)


_THAT = re.compile(
    r"\b(?P<verb>of|on|to|from|by|split|divide|share|is|add|times|was|plus) (?:that|it|this)"
    r"(?= (?:between|among|by|into|in #|(?:for )?each|for every|per (?:person|head)|#n|plus|minus|times|equally|evenly"
    r"|\?|,|\.)|$)"
)


def _mark_earlier(draft: Draft, known: Known) -> bool:
    """Replace "that" and "it" by the last result; False if it isn't spoken of, or an amount of its own may be."""
    found, earlier = _THAT.search(draft.text), known.earlier
    if found is None or earlier is None or ("#m" in draft.text and found["verb"] not in {"to", "from"}):
        return False
    if found["verb"] == "of" and known.last:
        raise NotSure("it may mean the result, or what it was worked out from")
    draft.text = _THAT.sub(f"{found['verb']} {draft.add(earlier)}", draft.text, count=1)
    return True


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
_PART = "{a} * {p} / 100"
_SENTENCES = (
    (rf"(?:(?:sum|total) of|add(?: up)?) {_LIST}", "{list}", Sense.TOTAL),
    (rf"(?:average|mean|average value) of {_LIST}", "({list}) / {count}", Sense.AVERAGE),
    (rf"add {_A} to {_B}", "{a} + {b}", Sense.TOTAL),
    (rf"difference (?:in (?:price|cost) )?between {_A} and {_B}", "{a} - {b}", Sense.DIFFERENCE),
    (rf"(?:divide|quotient of) {_A} (?:by|and) {_B}", "{a} / {b}", Sense.VALUE),
    (rf"(?:multiply|product of) {_A} (?:by|with|and) {_B}", "{a} * {b}", Sense.VALUE),
    (rf"(?:an? )?{_P} of {_A}", _PART, Sense.VALUE),
    (rf"(?:an? )?{_P}{_EXTRA} (?:on|of|for) (?:a |the )?(?:bill of )?{_A}(?: bill)?", _PART, Sense.VALUE),
    (rf"{_A} (?:with|after|at|minus) (?:an? )?{_P} (?:off|discount|reduction)", "{a} * (100 - {p}) / 100", Sense.TOTAL),
    (rf"(?P<formula>[-+*/() ]*{VALUE}(?:[-+*/() ]+{VALUE})+[) ]*)", "{formula}", Sense.VALUE),
)
_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "x": "*", "multiplied by": "*", "divided by": "/", "÷": "/"}


def _read_sentence(draft: Draft) -> Calculation | None:
    """The calculation if the whole text is one of these sentences."""
    operator = re.compile(rf" ({'|'.join(_OPERATORS)}) (?=[#(-])")
    written = operator.sub(lambda found: f" {_OPERATORS[found[1]]} ", draft.text)
    for pattern, formula, sense in _SENTENCES:
        found = re.fullmatch(_PREFIX + pattern + _ENDING, written if "formula" in formula else draft.text)
        if found is None:
            continue
        listed = re.findall(VALUE, found.groupdict().get("list") or "")
        _only(not listed or not draft.has_comma_in_number, "a comma may part two numbers, or be a part of one")
        text = formula.format_map({**found.groupdict(), "list": " + ".join(listed), "count": len(listed)})
        try:
            amount = _work_through(ast.parse(text.strip().replace("#", "_"), mode="eval").body, draft)
        except (SyntaxError, RecursionError):
            raise NotSure("the formula is not complete, or very long") from None
        return Calculation(amount=amount, sense=sense)
    return None


_OPERATIONS: Mapping[type[ast.operator], Callable[[Amount, Amount], Amount]] = {
    ast.Add: lambda one, two: add((one, two)),
    ast.Sub: Amount.minus,
    ast.Mult: Amount.times,
    ast.Div: Amount.over,
}


def _work_through(node: ast.expr, draft: Draft) -> Amount:
    match node:
        case ast.Name(id=name):
            return draft.amount(name.replace("_", "#"))
        case ast.Constant(value=int(number)):
            return plain(Decimal(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return plain(Decimal(-1)).times(_work_through(operand, draft))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATIONS:
            return _OPERATIONS[type(operator)](_work_through(left, draft), _work_through(right, draft))
    raise NotSure("the formula is not complete")


# Word problems in a few fixed forms: each clause tells an amount, a count or how many share, and one asks.

_PERSON = "(?:people|persons?|friends?|guests?|players?|members?|colleagues?|diners?|men|man|women|woman|hikers?)"
_M, _N, _UNIT = r"#m\d+", r"#n\d+", r"(?P<unit>[a-z]+)"
# Amounts that are not spent, or not beside others, are in it, too.
_TAKEN = (
    "i we you he she it they his her their your is are was were be and or cost costs paid spent have has had me us "
    "price salary income wage bonus prize limit allowance balance value option list sale original note card gift total "
    "subtotal net gross amount difference"
)
# A word that has no part to play; "my friend's" is somebody else's.
_WORD = rf"(?!(?:{'|'.join(sorted({*CHANGING, *PREPOSITIONS, *_TAKEN.split()}))}|{_PERSON})\b)[a-z][a-z-]*(?!')"
_THING = rf"(?:(?:a|an|the|our|my|this) )?(?:{_WORD} ){{0,3}}{_WORD}"
_PEOPLE = (
    rf"(?:(?:(?:a|the|our|my) (?:{_WORD} )?(?:team|group|party|family|club|class|crew) of |the |all )?{_N}"
    rf"(?: of us| (?:{_WORD} )?{_PERSON}))"
)
_COST = r"(?:is|are|was|were|costs?|came to)"
_SUM = r"(?: in total| altogether| together| combined)?"
_TIP = rf"(?:an? )?{PERCENT}{_EXTRA}"
_ARE_PEOPLE = rf"(?:we are|we were|there are|there were) (?:only )?{_N}(?: of us| people)?"

_SHARE = r"(?:ha(?:ve|s|d)(?= [a-z ]*\bbill\b)|shares?|shared|paid|split|want to split)(?: an?| the)?(?: shared)?"
_BILL = rf"(?:{_THING} of )?{_M}"

_TOLD = (
    ("amount", rf"{_PEOPLE} {_SHARE} {_BILL}(?: {_THING})?(?: for {_THING})?{_SUM}(?: with {_TIP})?"),
    ("amount", rf"{_PEOPLE} (?:booked|rented|hired|bought) {_THING} for {_M}{_SUM}"),
    ("amount", rf"{_THING} {_COST} {_M}{_SUM}(?: for (?:me|you|us))?"),
    ("amount", rf"(?:(?:i|we) )?(?:paid|spent) {_M}(?: (?:on|for) {_THING})?"),
    ("amount", rf"{_M} (?:on|for) (?:me|you|us|{_THING})|{_THING} for {_M}|(?:a |an |the )?{_M} {_THING}"),
    ("found", rf"{_M}(?: with {_TIP})?"),
    ("times", rf"{_N} (?P<counted>{_WORD}) at {_M}(?: (?:each|apiece|per {_UNIT}))?(?: cost)?"),
    ("count", rf"(?:i|we) bought {_N} {_UNIT} for {_M}|{_N} (?P<unit_>[a-z]+) {_COST} {_M}"),
    ("count", rf"(?:a|an|the) (?:{_WORD} ){{1,2}}(?:of|for) {_N} {_UNIT} {_COST} {_M}"),
    ("count", rf"(?:(?:it cost|(?:we|i) spent|(?:we|i) paid) )?{_M} (?:for|over|in) {_N} {_UNIT}"),
    ("fund", rf"(?:i|we) (?:have|had) {_M}|(?:i|we) paid with a {_M} (?:bill|note)|(?:my|our) budget is {_M}"),
    ("people", _ARE_PEOPLE),
    ("tip", rf"(?:we want to (?:add|leave)|with|plus) {_TIP}"),
)
"""What a clause tells. The clause's numbers come in one of each kind."""
_AMONG = "(?:equally )?(?:between|among|by|into|in)"
_DOES = "(?:do|does|did|should|must|will|would)"
_ASKED = (
    (Sense.SPLIT, rf"(?:split|divide|share) {_BILL} (?:{_AMONG} )?(?:us|{_PEOPLE}|{_N}(?: ways)?)(?: equally)?"),
    (Sense.SPLIT, rf"(?:how much|what) {_DOES} each(?: of us| {_PERSON})? (?:pay|owe)"),
    (Sense.SPLIT, rf"how much(?: is)?(?: it| that| {_M})? (?:(?:for )?each(?: of us)?|per person|apiece)"),
    (Sense.UNIT, rf"how much (?:is|does|was) (?:{_N}|a single|each) {_UNIT}(?: cost)?"),
    (Sense.UNIT, rf"(?:how much|what) (?:is |was )?(?:it |that |the average |the price )?per {_UNIT}"),
    (Sense.LEFT, rf"how much (?:of (?:{_M}|my budget|our budget) )?(?:is|do (?:i|we) have) left"),
    (Sense.LEFT, rf"how much is left of {_M}|how much change (?:do|will|should) (?:i|we) get"),
    (Sense.TOTAL, rf"(?:how much|what) {_DOES} (?:i|we) (?:pay|owe|spend)(?: for this(?: meal)?)?{_SUM}"),
    (Sense.TOTAL, rf"how much(?: (?:is|was|are|were|does|do|did)(?: it| that| this| all)?(?: cost| come to)?)?{_SUM}"),
    (Sense.TOTAL, r"what (?:is|was) the (?:total|sum|total price|total cost)"),
    (Sense.TOTAL, rf"(?:how much|what) (?:is|are|was|were|for|{_DOES}) {_M}(?: cost| come to| add up to)?{_SUM}"),
)
_BETWEEN = re.compile(r"(?: |^)(?:[.,;:!?]|(?:and|so|plus(?! (?:an? )?#p)|if|after|please|exactly)\b|$)")
_COSTS, _HAS_BOTH = re.compile(rf"{_COST} {_M}"), re.compile(rf"ha(?:ve|d) {_M} ,? ?and (?!(?:i |we )?(?:spent|paid))")
_ASKS_SUM = re.compile(r"\b(?:total|sum|altogether|together|combined|left)\b")
_ASKS_AMOUNT = re.compile(r"\b(?:how much|what|total|altogether|sum|split|divide|share)\b")


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the clauses of a problem tell; counts with the unit that they are of, and the unit that is asked for."""

    amounts: list[Amount] = field(default_factory=list)
    funds: list[Amount] = field(default_factory=list)
    people: list[Decimal] = field(default_factory=list)
    tips: list[Decimal] = field(default_factory=list)
    counts: list[tuple[Decimal, str]] = field(default_factory=list)
    unit: str = ""


def read_problem(draft: Draft, people: Decimal | None) -> Calculation | None:
    """The calculation; None if nothing is asked that has to do with amounts.

    `people` is how many the thread already spoke of. Raises NotSure if it is not understood.
    """
    if not _ASKS_AMOUNT.search(draft.text) or not re.search(r"#[mp]\d", draft.text):
        return None
    told, senses = _Told(), list[Sense]()
    text = re.sub(rf"\bhow much (?:is|are|do|for) (?={_N} [a-z]+ at #m)", "how much . ", draft.text)
    for clause in filter(None, (one.strip() for one in _BETWEEN.split(text))):
        matches = ((part, re.fullmatch(form, clause)) for part, form in (*_ASKED, *_TOLD))
        part, found = next(((part, found) for part, found in matches if found), ("", None))
        if found is None:
            raise NotSure(f"'{re.sub('#.[0-9]+', '...', clause)}' is not in words that the rules know")
        if isinstance(part, Sense):
            senses.append(part)
        _take(told, part, [stem(one) for one in found.groupdict().values() if one], draft, clause)
    is_one_step = senses == [Sense.LEFT] or not re.search(r". (?:if|after) ", draft.text)
    _only(len(senses) == 1 and is_one_step, "it asks for several steps")
    _only(" for you" not in draft.text or "in total" in draft.text, "it speaks of the money of several people")
    _only(len(_COSTS.findall(draft.text)) < 2 or _ASKS_SUM.search(draft.text) is not None, "it may ask for one of them")
    _only(not _HAS_BOTH.search(draft.text), "it may be had as well, or spent")
    return _calculate(told, senses[0], people)


def _take(told: _Told, part: Sense | str, units: Sequence[str], draft: Draft, clause: str) -> None:
    amounts, numbers = _marked(draft, clause, "m"), [one.value for one in _marked(draft, clause, "n")]
    told.tips += [one.value for one in _marked(draft, clause, "p")]
    if part in ("fund", Sense.LEFT):
        told.funds += amounts
    elif part is Sense.UNIT:
        _only(numbers in ([], [1]))
        told.unit = units[0]
    elif part == "times":
        _only(len(set(units)) == 1)
        told.amounts.append(amounts[0].times(plain(numbers[0])))
    elif part == "count":
        told.amounts += amounts
        told.counts.append((numbers[0], units[0]))
    else:
        _only(part != "found" or amounts[0].is_found)
        told.amounts += amounts
        told.people += numbers


def _marked(draft: Draft, clause: str, kind: str) -> list[Amount]:
    return [draft.amount(mark) for mark in re.findall(rf"#{kind}\d+", clause)]


def _calculate(told: _Told, sense: Sense, people: Decimal | None) -> Calculation:
    if sense is Sense.UNIT:
        _only(not (told.funds or told.tips or told.people))
        _only(len(told.amounts) == len(told.counts) == 1 and told.counts[0][1] == told.unit)
        return Calculation(amount=told.amounts[0].over(plain(told.counts[0][0])), sense=sense, unit=told.unit)
    _only(bool(told.amounts) and not told.counts and len(told.tips) <= 1 and len(told.people) <= 1)
    _only(not told.tips or len(told.amounts) == 1, "it does not say what the percentage is of")
    whole = add(told.amounts)
    if told.tips:
        whole = whole.times(plain(100 + told.tips[0])).over(plain(Decimal(100)))
    if sense is Sense.LEFT:
        _only(len(told.funds) == 1 and not (told.tips or told.people))
        return Calculation(amount=told.funds[0].minus(whole), sense=sense)
    _only(not told.funds)
    if sense is Sense.SPLIT:
        _only(len(told.amounts) == 1)  # Of several amounts, some may be shared by some.
        among = told.people[0] if told.people else people
        if among is None:
            raise NotSure("it does not say among how many")
        return split(whole, among)
    _only(not told.people)
    _only(not whole.is_given or whole.is_found, "it does not say what to do with the amount")
    return Calculation(amount=whole, sense=Sense.VALUE if whole.is_given else Sense.TOTAL)


def _only(condition: bool, reason: str = "not every number in it has a part that the rules know") -> None:
    if not condition:
        raise NotSure(reason)


# What changes the number of people in an earlier question: "And if 2 of us don't come?"

_SUBJECT = r"(?:(?:and|but|so|ok|okay|now|then|what|how about|what about|,) )*(?:if )?"
_THEN = r"(?: ,? ?how much (?:is (?:it|that)|does|should) each(?: of us)?(?: pay)?)?[ ?.!]*"
PERSON_CHANGE = re.compile(
    rf"{_SUBJECT}(?:(?P<less>{_N} of us (?:do|does|can|will|are) not (?:pay|come|join|coming|paying))"
    rf"|(?P<more>{_N} more (?:people |friends |of us )?(?:joins?|comes?|pay))|{_ARE_PEOPLE}){_THEN}"
)
