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
from runner.server.inference.offline.facts import read_statements
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
    is_sum = len(prices) > 1 and sum(amount.value for amount, _ in prices) == calculation.amount.value
    if is_sum and any(TAXES & name_stems(line.name) for line in listed.lines):
        told = f"Without tax or tip on top, {told[0].lower()}{told[1:]}"
    return _with_sources([line for _, line in prices], told)


def _with_sources(found: Sequence[PricedLine], told: str) -> Answer:
    text, sources = "", list[SourceMark]()
    for document in {line.document.file_id: line.document for line in found}.values():
        lines = [line.text for line in found if line.document is document]
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
    is_clear, corrects = not (CHANGING - {"budget"}) & set(told.text.split()), _CORRECTS.search(message)
    sure = {one: named[one] for one in named if is_clear and (corrects or known.stated.get(one) in (None, named[one]))}
    marks = re.findall(r"#m\d+", told.text)
    people, last = read_people(told), None
    with contextlib.suppress(NotSure):
        last = read_calculation(prepare(message), known, _no_price) if was_answered else None
    earlier = told.amount(marks[0]) if len(marks) == 1 and was_answered and not message.endswith("?") else None
    if people and known.people and people != known.people and not corrects:
        people = Decimal(0)  # "2 of us are children": nobody knows who is to share.
    elif people is None:
        people = known.people or (last.people if last else None)
    if last is not None:  # "That" is what was told: money to the cent.
        earlier = given(work_out(last), last.amount.currency)
    return Known(
        last=last,
        earlier=earlier,
        people=people,
        stated={one: amount for one, amount in known.stated.items() if one not in named} | sure,
    )


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
    """Replace "that" and "it" by the last result; False if it isn't spoken of, or an amount of its own may be."""
    count, has_own = len(draft.amounts), "#m" in draft.text

    def change(found: re.Match[str]) -> str:
        if earlier is None or (has_own and found["verb"] not in {"to", "from"}):
            return found[0]
        return f"{found['verb']} {draft.add(earlier)}"

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
        text = formula.format_map({**found.groupdict(), "list": " + ".join(listed), "count": len(listed)})
        try:
            amount = _work_through(ast.parse(text.strip().replace("#", "_"), mode="eval").body, draft)
        except (SyntaxError, RecursionError):
            raise NotSure("the formula is not complete, or very long") from None
        return Calculation(amount=amount, sense=sense)
    return None


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


# Word problems in a few fixed forms: each clause tells an amount, a count or how many share, and one asks.

_PERSON = (
    "(?:people|persons?|friends?|guests?|players?|members?|colleagues?|co-?workers?|travell?ers?|passengers?|tourists?"
    "|roommates?|flatmates?|housemates?|teammates?|classmates?|diners?|men|man|women|woman|hikers?|cyclists?|skiers?"
    "|runners?|participants?|heads)"
)
_M, _N, _UNIT = r"#m\d+", r"#n\d+", r"(?P<unit>[a-z]+)"
_TAKEN = "i we you he she it they his her their your is are was were be and or cost costs paid spent have has had me us"
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

_SHARE = "(?:have|has|had|shares?|shared|paid|split|want to split)(?: an?| the)?(?: shared)?"
_BILL = rf"(?:{_THING} of )?{_M}"

_TOLD = (
    ("amount", rf"{_PEOPLE} {_SHARE} {_BILL}(?: {_THING})?(?: for {_THING})?{_SUM}(?: with {_TIP})?"),
    ("amount", rf"{_PEOPLE} (?:booked|rented|hired|bought) {_THING} for {_M}{_SUM}"),
    ("amount", rf"{_THING} {_COST} {_M}{_SUM}(?: for (?:me|you|us))?(?: with {_TIP})?"),
    ("amount", rf"(?:(?:i|we) )?(?:paid|spent) {_M}(?: (?:on|for) {_THING})?"),
    ("amount", rf"{_M} (?:on|for) (?:me|you|us|{_THING})|{_THING} for {_M}|(?:a |an |the )?{_M} {_THING}"),
    ("found", rf"{_M}(?: with {_TIP})?"),
    ("times", rf"{_N} (?P<counted>{_WORD}) at {_M}(?: (?:each|apiece|per {_UNIT}))?(?: cost)?"),
    ("count", rf"(?:i|we) bought {_N} {_UNIT} for {_M}|{_N} (?P<unit_>[a-z]+) {_COST} {_M}"),
    ("count", rf"(?:a|an|the) (?:{_WORD} ){{1,2}}(?:with|of|for) {_N} {_UNIT} {_COST} {_M}"),
    ("count", rf"(?:(?:it cost|(?:we|i) spent|(?:we|i) paid) )?{_M} (?:for|over|in) {_N} {_UNIT}"),
    ("fund", rf"(?:i|we) (?:have|had) {_M}|(?:i|we) paid with a {_M} (?:bill|note)|(?:my|our) budget is {_M}"),
    ("people", _ARE_PEOPLE),
    ("tip", rf"(?:we want to (?:add|leave) |with )?{_TIP}"),
)
"""What a clause tells. The clause's numbers come in one of each kind."""
_AMONG = "(?:between|among|by|into|in)"
_DOES = "(?:do|does|did|should|must|will|would)"
_ASKED = (
    (
        Sense.SPLIT,
        rf"(?:split|divide|share) {_BILL} (?:equally )?(?:{_AMONG} )?(?:us|{_PEOPLE}|{_N}(?: ways)?)(?: equally)?",
    ),
    (Sense.SPLIT, rf"(?:how much|what) {_DOES} (?:each(?: of us| {_WORD}| {_PERSON})?|everyone) (?:pay|owe)"),
    (Sense.SPLIT, rf"how much(?: is)?(?: it| that| {_M})? (?:(?:for )?each(?: of us)?|per person|apiece)"),
    (Sense.UNIT, rf"how much (?:is|does|was) (?:{_N}|a single|each) {_UNIT}(?: cost)?"),
    (Sense.UNIT, rf"(?:how much|what) (?:is |was )?(?:it |that |the average |the price )?per {_UNIT}"),
    (Sense.LEFT, rf"how much (?:of (?:{_M}|my budget|our budget) )?(?:is|do (?:i|we) have) left"),
    (Sense.LEFT, rf"how much is left of {_M}|how much change (?:do|will|should) (?:i|we) get"),
    (Sense.TOTAL, rf"(?:how much|what) {_DOES} (?:i|we) (?:pay|owe|spend)(?: for this(?: meal)?)?{_SUM}"),
    (Sense.TOTAL, rf"how much(?: (?:is|was|are|were|does|do|did)(?: it| that| this| all)?(?: cost| come to)?)?{_SUM}"),
    (Sense.TOTAL, r"what (?:is|was) the (?:total|sum|final price|total price|total cost)"),
    (Sense.TOTAL, rf"(?:how much|what) (?:is|are|was|were|for|{_DOES}) {_M}(?: cost| come to| add up to)?{_SUM}"),
)
_BETWEEN = re.compile(r"(?: |^)(?:[.,;:!?]|(?:and|so|plus|if|after|please|exactly)\b|$)")
_ASKS_AMOUNT = re.compile(r"\b(?:how much|what|total|altogether|sum|split|divide|share)\b")


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the clauses of a problem tell; counts with the unit that they are of."""

    amounts: list[Amount] = field(default_factory=list)
    funds: list[Amount] = field(default_factory=list)
    people: list[Decimal] = field(default_factory=list)
    tips: list[Decimal] = field(default_factory=list)
    counts: list[tuple[Decimal, str]] = field(default_factory=list)


def read_problem(draft: Draft, people: Decimal | None) -> Calculation | None:
    """The calculation; None if nothing is asked that has to do with amounts.

    `people` is how many the thread already spoke of. Raises NotSure if it is not understood.
    """
    if not _ASKS_AMOUNT.search(draft.text) or not re.search(r"#[mp]\d", draft.text):
        return None
    told, senses, unit = _Told(), list[Sense](), ""
    text = re.sub(rf"\bhow much (?:is|are|do|for) (?={_N} [a-z]+ at #m)", "how much . ", draft.text)
    for clause in filter(None, (one.strip() for one in _BETWEEN.split(text))):
        for sense, form in _ASKED:
            if found := re.fullmatch(form, clause):
                senses.append(sense)
                unit = stem(found.groupdict().get("unit") or "")
                _take_asked(told, sense, unit, draft, clause)
                break
        else:
            _take_told(told, draft, clause)
    is_one_step = senses == [Sense.LEFT] or not re.search(r". (?:if|after) ", draft.text)
    _only(len(senses) == 1 and is_one_step, "it asks for several steps")
    _only(" for you" not in draft.text or "in total" in draft.text, "it speaks of the money of several people")
    return _calculate(told, senses[0], unit, people)


def _take_asked(told: _Told, sense: Sense, unit: str, draft: Draft, clause: str) -> None:
    amounts, numbers = _marked(draft, clause, "m"), [one.value for one in _marked(draft, clause, "n")]
    (told.funds if sense is Sense.LEFT else told.amounts).extend(amounts)
    if sense is Sense.UNIT:
        _only(numbers in ([], [1]))
    elif sense is Sense.SPLIT:
        told.people += numbers
    else:
        told.counts += [(number, unit) for number in numbers]


def _take_told(told: _Told, draft: Draft, clause: str) -> None:
    part, found = next(((part, found) for part, form in _TOLD if (found := re.fullmatch(form, clause))), ("", None))
    if found is None:
        raise NotSure(f"'{re.sub('#.[0-9]+', '...', clause)}' is not in words that the rules know")
    amounts, numbers = _marked(draft, clause, "m"), [one.value for one in _marked(draft, clause, "n")]
    units = [stem(value) for value in found.groupdict().values() if value]
    told.tips += [one.value for one in _marked(draft, clause, "p")]
    if part == "fund":
        told.funds += amounts
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


def _calculate(told: _Told, sense: Sense, unit: str, people: Decimal | None) -> Calculation:
    if sense is Sense.UNIT:
        _only(not (told.funds or told.tips or told.people))
        _only(len(told.amounts) == len(told.counts) == 1 and told.counts[0][1] == unit)
        return Calculation(amount=told.amounts[0].over(plain(told.counts[0][0])), sense=sense, unit=unit)
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


# How many people.

_PEOPLE_IN_TEXT = re.compile(rf"{_ARE_PEOPLE}(?= (?:[.,;?!]|and|so)|$)|{_PEOPLE}")
_SUBJECT = r"(?:(?:and|but|so|ok|okay|now|then|what|how about|what about|,) )*(?:if )?"
_THEN = r"(?: ,? ?how much (?:is (?:it|that)|does|should) each(?: of us)?(?: pay)?)?[ ?.!]*"
PERSON_CHANGES = (
    (re.compile(rf"{_SUBJECT}{_N} of us (?:do|does|can|will|are) not (?:pay|come|join|coming|paying){_THEN}"), -1),
    (re.compile(rf"{_SUBJECT}{_N} more (?:people |friends |of us )?(?:joins?|comes?|pay){_THEN}"), 1),
    (re.compile(rf"{_SUBJECT}{_ARE_PEOPLE}{_THEN}"), 0),
)
""" "And if 2 of us don't come?": what changes the number of people in an earlier question."""


def read_people(draft: Draft) -> Decimal | None:
    """How many people a text speaks of, if it names one number of them."""
    found = [number for one in _PEOPLE_IN_TEXT.finditer(draft.text) for number in _marked(draft, one[0], "n")]
    return found[0].value if len(found) == 1 else None
