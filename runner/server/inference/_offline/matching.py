"""Find in documents what a calculation needs: the price of a thing, a total by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.server.inference._offline.documents import Document, by_tier
from runner.server.inference._offline.expressions import Expression, Item, Label, Leaf, Number, Product, Quotient
from runner.server.inference._offline.priced_lines import PricedLine, read_priced_lines
from runner.server.inference._offline.question import Currency
from runner.server.inference._offline.vocabulary import LABELS
from runner.server.inference._offline.words import is_plural, read_stems, read_words, stem


class NotSure(Exception):
    """A thing was not found, or found in more than one way; the message says which."""


class NotFound(NotSure):
    """No line names the thing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What stands for one leaf, and where it was found."""

    leaf: Leaf
    expression: Expression
    currency: Currency
    line: PricedLine
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    line: PricedLine
    document: Document


def find_leaf(leaf: Leaf, documents: Sequence[Document]) -> Finding:
    """The price or amount behind a leaf. Raises NotSure unless exactly one reading is left."""
    for group in by_tier(documents):
        candidates = [
            _Candidate(line=line, document=document)
            for document in group
            for line in read_priced_lines(document.lines)
            if _names(leaf, line, document)
        ]
        if candidates:
            return _find_item(leaf, candidates) if isinstance(leaf, Item) else _find_label(leaf, candidates)
    raise NotFound(f"no priced line for '{leaf.name}' was found")


def find_currency(documents: Sequence[Document]) -> Currency:
    """The one currency that these documents write; none if they write none. Raises NotSure for several."""
    lines = [line for document in documents for line in read_priced_lines(document.lines) if line.currency]
    if len({line.currency for line in lines}) > 1:
        raise NotSure("the document has several currencies")
    return Currency(text=lines[0].currency, leads=lines[0].leads) if lines else Currency(text="")


def _names(leaf: Leaf, line: PricedLine, document: Document) -> bool:
    if isinstance(leaf, Item):
        return not line.sums_up and set(_stems(leaf)) <= read_stems(line.name)
    if leaf.of and stem(leaf.of) not in document.stems:
        return False
    return _label_of(line) in LABELS[leaf.name]


def _stems(item: Item) -> tuple[str, ...]:
    return tuple(stem(word) for word in read_words(item.name) if word not in {"of", "the", "a", "an", "with"})


def _label_of(line: PricedLine) -> str:
    """The words of a summing line without its currency, percentages and remarks in brackets."""
    words = [word for word in read_words(line.name.split("(")[0]) if word.isalpha()]
    return " ".join(word for word in words if word.upper() != line.currency and len(word) > 1)


def _find_item(item: Item, candidates: Sequence[_Candidate]) -> Finding:
    exact = [one for one in candidates if read_stems(one.line.name) == set(_stems(item))]
    fitting = exact or list(candidates)
    if len({(one.line.name.lower(), one.line.unit_price) for one in fitting}) > 1:
        raise NotSure(f"'{item.name}' fits several lines: {_quote(fitting)}")
    chosen = fitting[0]
    lines = read_priced_lines(chosen.document.lines)
    if any(line.lowers for line in lines):
        raise NotSure("the document takes something off its prices")
    if _has_extras(chosen, lines):
        raise NotSure(f"the line of '{item.name}' has extras listed under it")
    expression = _price(item, chosen.line, copies=len(fitting))
    return _finding(item, expression, chosen)


def _price(item: Item, line: PricedLine, *, copies: int) -> Expression:
    """What the asked-for number of an item costs. Raises NotSure if the line leaves that open."""
    listed = None if line.count is None else line.count * copies
    if not line.is_plain:
        if line.count is not None and item.count == line.count and copies == 1:
            return Number(line.amount)
        raise NotSure(f"the line '{line.text}' can be read in several ways")
    asks_many = is_plural(read_words(item.name)[-1]) and not is_plural((line.words or ("",))[-1])
    if item.count is None:
        return _price_uncounted(item, line, listed=listed, asks_many=asks_many, copies=copies)
    if listed is not None and item.count == listed and copies == 1:
        return Number(line.amount)
    if listed is not None and item.count > listed:
        raise NotSure(f"only {listed} of '{item.name}' are listed")
    if line.unit_price is None:
        raise NotSure(f"the line '{line.text}' does not tell the price of one")
    if item.count == 1:
        return _one_of(line)
    return Product(_one_of(line), Number(Decimal(item.count)))


def _price_uncounted(item: Item, line: PricedLine, *, listed: int | None, asks_many: bool, copies: int) -> Expression:
    if listed in {None, 1} and line.unit_price is not None and not asks_many:
        return Number(line.amount)
    if asks_many and line.count is not None and line.count > 1 and copies == 1:
        return Number(line.amount)
    raise NotSure(f"it does not say how many of '{item.name}', and the line is '{line.text}'")


def _one_of(line: PricedLine) -> Expression:
    """The price of one, as a division where the document has only the price of several."""
    if line.count and line.count > 1 and line.unit_price is not None and line.unit_price * line.count == line.amount:
        return Number(line.unit_price)
    if line.count and line.count > 1:
        return Quotient(Number(line.amount), Number(Decimal(line.count)))
    return Number(line.amount)


def _has_extras(chosen: _Candidate, lines: Sequence[PricedLine]) -> bool:
    """Whether the next line is an addition to this one ("+ cheese 2.00")."""
    following = [line.strip() for line in chosen.document.lines]
    texts = [" ".join(line.split()) for line in following]
    place = texts.index(chosen.line.text) if chosen.line.text in texts else -1
    after = following[place + 1] if 0 <= place < len(following) - 1 else ""
    priced = any(line.text == " ".join(after.split()) for line in lines)
    return priced and (after.startswith(("+", "w/", ">")) or after.lower().startswith(("add ", "extra ")))


def _find_label(label: Label, candidates: Sequence[_Candidate]) -> Finding:
    exact = [one for one in candidates if _label_of(one.line) == label.name]
    fitting = exact or list(candidates)
    values = {one.line.amount for one in candidates} if label.name == "total" else {one.line.amount for one in fitting}
    if len(values) > 1:
        raise NotSure(f"'{label.name}' fits several lines: {_quote(candidates)}")
    return _finding(label, Number(fitting[0].line.amount), fitting[0])


def _finding(leaf: Leaf, expression: Expression, chosen: _Candidate) -> Finding:
    line = chosen.line
    currency = Currency(text=line.currency, leads=line.leads) if line.currency else find_currency((chosen.document,))
    return Finding(leaf=leaf, expression=expression, currency=currency, line=line, document=chosen.document)


def _quote(candidates: Sequence[_Candidate]) -> str:
    return ", ".join(sorted({f"'{one.line.text}'" for one in candidates})[:3])
