"""What a question refers to without giving its value: a document's total, my budget, "that"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.expressions import Label
from runner.server.inference._offline.vocabulary import LABELS, UNSEARCHED

PAPERS = (
    "receipt|bill|invoice|document|file|pdf|menu|ticket|statement|folio|confirmation|quote|check|order|slip|attachment"
)
_OTHER_NAMES = {
    "total due": "amount due", "amount payable": "total", "city tax": "tax", "tourist tax": "tax",
    "bill": "total", "total bill": "total", "check": "total", "tab": "total", "gratuity": "tip", "vat": "tax",
    "sales tax": "tax", "sub-total": "subtotal", "sub total": "subtotal", "taxes": "tax", "total amount": "total",
}  # fmt: skip
_LABEL = "|".join(sorted((*LABELS, *_OTHER_NAMES), key=len, reverse=True))
_ON_PAPER = rf"(?: (?:on|of|from|in|for) (?:the|this|my|our|that) (?:attached )?(?:(?P<of>[a-z-]+) )?(?:{PAPERS})\b)"
_LABELLED = re.compile(
    rf"\b(?:the|our|my|this|its) (?:whole |entire |full |final |overall )?(?P<label>{_LABEL})(?: (?:amount|price"
    r"|cost))?"
    rf"(?:{_ON_PAPER}| (?=between|among|amongst|by|into|in #|equally|evenly|with|plus|each|per|if|,|\?|\.|and add)|$)"
)
_THAT = re.compile(
    r"\b(?P<verb>of|on|to|from|by|split|divide|share|is|add|times|was|plus|does) (?:that|it|this)"
    r"(?= (?:between|among|by|into|in #|(?:for )?each|for every|per (?:person|head)|#n|plus|minus|times|equally"
    r"|evenly|with #|come|\?|,|\.)|$)"
)


def mark_labels(draft: Draft) -> None:
    """Replace "the total", "the tax on the receipt" by operands; not where the question brings its own amount."""
    if draft.has_money:
        return

    def change(found: re.Match[str]) -> str:
        of = found["of"] or ""
        name = _OTHER_NAMES.get(found["label"], found["label"])
        return draft.add(Operand(expression=Label(name=name, of="" if of in UNSEARCHED else of), currency=None))

    draft.replace(_LABELLED, change)


def names_other_amount(draft: Draft, *, listed: int) -> bool:
    """Whether a document's amount is spoken of beside listed things: "the total" of several things is theirs."""
    named = {found[0].strip() for found in _LABELLED.finditer(draft.text)}
    return bool(named - {"the total"}) or (bool(named) and listed == 1 and "#p" not in draft.text)


def mark_stated(draft: Draft, stated: Mapping[str, Operand]) -> None:
    """Replace "my budget" by the amount that the user gave it earlier, where the question gives it none."""

    def change(found: re.Match[str]) -> str:
        return draft.add(stated[found["name"]])

    names = "|".join(re.escape(name) for name in sorted(stated, key=len, reverse=True))
    if names:
        draft.replace(rf"\b(?:my|our|the) (?P<name>{names})\b(?! (?:is|was|are|of) ?#m)", change)


def mark_earlier(draft: Draft, earlier: Operand | None) -> bool:
    """Replace "that" and "it" by the last result; where the question has one amount of its own, they mean that one.

    False if the last result is not spoken of.
    """
    operands = len(draft.operands)
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
    return len(draft.operands) > operands
