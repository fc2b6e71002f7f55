"""Which of an answer's numbers is the one that it gives: the last, but for what only explains, asks or qualifies."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from runner.checks._numbers import FoundNumber, Passage
from runner.checks._units import CURRENCIES
from runner.checks._wording import FORMERLY

_BOXED = re.compile(r"\\(?:boxed|fbox)\s?\{")
_MARK = re.compile(r"\*\*\*?|__(?!\w{0,40}__\w)|</?(?:b|strong|mark)>|\\(?:textbf|mathbf|underline)\{|==(?==)?")
_SENTENCE_END = re.compile(
    r"(?<![.\d])[.!?]['\")*_]{0,3}(?=\s|\Z)|(?<=\d)[.!?]['\")*_]{0,3}(?=\s+[^\s\d]|\s*\Z)|[。！？]|\n|(?=¿)"
)
_DOUBTING = re.compile(
    r"\W{0,8}(?:or|but|wait|hmm+|is|isn't|was|are[ ]you[ ]sure|maybe|perhaps|what[ ]if|could[ ]it|oder|ist|ou"
    r"|est-ce[ ]que[ ]c'est|o|es)\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\W{0,8}(?:let[ ]me[ ]know|feel[ ]free|if[ ]you(?:'d|[ ]would)?[ ](?:like|want|need|prefer|wish)|just[ ](?:ask"
    r"|say|tell)|please[ ](?:ask|tell|let)|happy[ ]to|i[ ](?:can|could)[ ]also"
    r"|sag(?:en[ ]sie)?[ ]|wenn[ ](?:du|sie)[ ](?:m|w)|n'hésitez|si[ ](?:vous|quieres|desea|necesita)|dime|avísame"
    r"|se[ ](?:quiser|precisar|vuoi)|fammi[ ]sapere|diga|laat[ ]me)\b",
    re.IGNORECASE,
)
_STATEMENT = re.compile(
    r"(?:\b(?:is|are|was|be|it's|that's|totals?|totalling|totaling|pays?|paying|costs?|comes?[ ]to|makes?|gives?"
    r"|equals?|gets?|owes?|earns?|has|have|needs?|answer"
    r"|ist|sind|kostet|zahlst|zahlt|beträgt|est|sont|coûte|paie|payez|es|son|cuesta|paga|pagas|é|são|custa|è|sono"
    r"|costa|wynosi|итого|равно|составляет|="
    r"|only|just|exactly|about|approximately|roughly|around)|[=:≈→]|(?:是|为|為|は|が|은|는|이))[ ]?[*_$\\~≈(]{0,4}\Z",
    re.IGNORECASE,
)
_QUALIFYING = re.compile(
    r"(?:\b(?:for|in|of[ ]which|which|davon|dont|di[ ]cui|of[ ]that|of|over|from|with|plus|including|incl\.|after"
    r"|before|between|among|across|by|at|per|on|to|within|and|given|based[ ]on|the|all|your|their|its|these"
    r"|für|von|in|mit|inkl\.|zzgl\.|davon|bei|auf|aus|nach|pour|de|avec|dont|sur|en|par|entre|para|con|por|incluye"
    r"|com|di|per|tra|su|voor|van|met|na|za|dla|z|для|из|с|на|за)|[×x+(]|,)[ ]?[*_$\\~≈€£]{0,4}\Z",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"\b(?:but|however|actually|wait|no,|correction|instead|rather|sorry|yet|although|aber|doch|sondern|mais|pero"
    r"|sino|mas|ma|maar|ale|но|однако)\b|但|しかし|하지만",
    re.IGNORECASE,
)
_RESULT_WORD = (
    "total|totale|answer|result|sum|altogether|in[ ]all|amount[ ]due|pay|pays|owe|owes|gesamt\\w*|insgesamt|summe"
    "|ergebnis|antwort|zahl\\w*|réponse|résultat|payez|respuesta|resultado|resposta|risposta|risultato|итого|ответ"
    "|razem|suma|totaal"
)
_STATES_RESULT = re.compile(
    rf"\b(?:{_RESULT_WORD}|so|therefore|thus|hence|final|correct)\b|[=≈→]|合計|总计|总共|總計|합계|총", re.IGNORECASE
)
_NAMES_RESULT = re.compile(rf"\b(?:{_RESULT_WORD})\b|=|合計|总计|总共|總計|합계", re.IGNORECASE)
_LONE_NUMBER = re.compile(r"(?![ \t]*(?:[-+•|]|\*[ ]|\d{1,3}[.)][ ]))[^\w\n]*[\d.,' ]+(?:[^\W\d_]{1,4})?\W*")
_HEADING = re.compile(
    r"^[ \t>#*_-]{0,12}(?:(?:here(?:['’]s|[ ]is)[ ](?:how|why|(?:the|a|my)[ ](?:breakdown|calculation|math|working))"
    r"|breakdown|explanation|how[ ](?:i|we|it)|calculation|steps?|details|reasoning|working|why|notes?"
    r"|(?:this|it)[ ](?:includes|consists|covers|is[ ]made[ ]up)|if[ ]you|would[ ]you|i[ ]can|let[ ]me[ ]know"
    r"|aufschlüsselung|berechnung|erklärung|rechenweg|erläuterung|hinweis|détails?|explication|calcul|remarque"
    r"|desglose|explicación|cálculo|nota|detalhamento|explicação|dettagli\w*|spiegazione|calcolo|uitleg|berekening"
    r"|wyjaśnienie|obliczenia|разбивка|расчёт|расчет|объяснение)\b|内訳|明细|明細|计算|計算|説明|解释|계산|내역|설명)"
    r"[^\n\d.?!]{0,60}(?::|[*_ ]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_TOTAL_LINE = re.compile(
    rf"\W{{0,8}}(?:(?:the|your|grand|final)[ ]){{0,2}}(?:{_RESULT_WORD})\b[^\n\d|]{{0,30}}[^\n|]{{1,40}}(?=\n)",
    re.IGNORECASE,
)
_ROWS = re.compile(r"(?:[ \t]*(?:[|*+•-][^\n]*|\d{1,3}[.)][^\n]*)?(?:\n|\Z))*\Z")
_EXPLAINED = 4000
"""Characters of an explanation, at most, that are looked at for another result."""
_TAX = (
    r"(?:VAT|(?:sales[ ])?tax(?:es)?|MwSt|USt|Mehrwertsteuer|TVA|IVA|BTW|GST|HST|НДС|KDV|moms|tips?|gratuity|discount"
    r"|service|shipping|delivery|postage|handling|fees?|coupon|Trinkgeld|Rabatt|Skonto|Versand\w*|Gebühr\w*"
    r"|pourboire|remise|réduction|livraison|frais|propina|descuento|envío|gorjeta|desconto|frete|mancia|sconto"
    r"|spedizione|fooi|korting|verzend\w*|napiwek|rabat\w*|чаевы\w*|скидк\w*|доставк\w*)\b"
)
_INCLUDED = re.compile(
    r"\b(?:incl(?:uding|usive(?:[ ]of)?|\.)?|inkl(?:usive|\.)?|of[ ]which|thereof|davon|dont|di[ ]cui"
    r"|de[ ]los[ ]cuales|incluindo"
    r"|incluye(?:ndo)?|y[ ]compris|w[ ]tym|inclusief|waarvan|в[ ]том[ ]числе|включая|with|after|mit|nach|avec|après"
    r"|con|tras|com|após|dopo|met|na|po|после)(?![^\W\d_])(?P<between>(?:[^.!?;\n\d]|(?<=\w)\.){0,24})\Z",
    re.IGNORECASE,
)
_IS_TAX = re.compile(rf"[^.!?;\n\d]{{0,12}}\b{_TAX}", re.IGNORECASE)
_AFTER_TAX = re.compile(rf"\b{_TAX}\.?[ ]?\(\Z", re.IGNORECASE)
FAR = 100_000
"""Characters after which no more is read where no number was found."""
_UNSURE = "is the last one, but another is emphasised"


def final_number(passage: Passage, counts: Callable[[FoundNumber], bool]) -> FoundNumber | None:
    """The number that the answer ends in, of those that count; it has a problem where that can't be told."""
    boxed = _boxed(passage, counts)
    if boxed is not None:
        return boxed
    explained = _explained(passage, counts)
    return explained if explained is not None else _last(passage, counts)


def _last(passage: Passage, counts: Callable[[FoundNumber], bool]) -> FoundNumber | None:
    fallback: FoundNumber | None = None
    for start, end in passage.pieces_from_the_end():
        if len(passage.text) - end > FAR:
            break
        numbers = [number for number in passage.numbers(start, end) if counts(number)]
        if not numbers:
            continue
        fallback = fallback or numbers[-1]
        given = _without_closing(passage.text, numbers, start)
        given = [number for number in given if not _only_explains(passage.text, number, start)]
        while len(given) > 1 and _is_tax_within(passage.text, given[-2], given[-1]):
            given.pop()
        while given:
            chosen = _emphasised(passage.text, given)
            chosen = passage.judged(chosen if chosen is not given[-1] else _main(passage.text, given))
            if len(given) == 1 or not chosen.problem.endswith(FORMERLY):
                return chosen
            given = [number for number in given if number.start != chosen.start]
    return fallback and passage.judged(fallback)


def _explained(passage: Passage, counts: Callable[[FoundNumber], bool]) -> FoundNumber | None:
    """The result that stands before an explanation of it ("**Total: 39.25**", "Here's how: ...") that has no other."""
    text = passage.text
    first = _TOTAL_LINE.match(text, 0, 200)
    if first and len(text) < first.end() + _EXPLAINED and _ROWS.match(text, first.end()):
        cut = first.end()
    elif (heading := _HEADING.search(text)) and len(text) < heading.end() + _EXPLAINED:
        cut = heading.start()
    else:
        return None
    lead = _last(replace(passage, text=text[:cut]), counts)
    if lead is None or lead.problem or _CONTRAST.search(text, cut):
        return None
    line = text.rfind("\n", 0, lead.start) + 1
    if not re.search(r"[^\W\d_]", text[line : lead.start]):  # below a heading "Answer"
        line = text.rfind("\n", 0, len(text[:line].rstrip())) + 1
    stated = text[line : lead.end + 3]
    if not (_MARK.search(stated) or _NAMES_RESULT.search(stated)):
        return None
    later = [number for number in passage.numbers(cut, len(text)) if counts(number)]
    return None if any(_is_other_result(text, lead, number, cut) for number in later) else lead


def _is_other_result(text: str, lead: FoundNumber, number: FoundNumber, floor: int) -> bool:
    """Whether a later number is stated as a result that differs from the first."""
    line = max(floor, text.rfind("\n", 0, number.start) + 1)
    if number.value == lead.value:
        return False
    end = text.find("\n", number.end)
    is_marked = any(
        begin <= number.start < close for begin, close in _bold_spans(text, line, end if end >= 0 else len(text))
    )
    is_last_line = _LONE_NUMBER.fullmatch(text[line:].rstrip()) is not None
    return is_marked or is_last_line or _STATES_RESULT.search(text, line, number.start) is not None


def _is_tax_within(text: str, amount: FoundNumber, number: FoundNumber) -> bool:
    """Whether the number says which tax the amount before it contains: "39.25 EUR including 19% VAT"."""
    before = text[amount.end : number.start]
    if len(before) > 60 or "\n" in before:
        return False
    if number.is_percent and _AFTER_TAX.search(before):
        return True
    included = _INCLUDED.search(before)
    behind = text[number.end : number.end + 30]
    return included is not None and bool(_IS_TAX.match(behind) or _IS_TAX.match(included["between"]))


def _boxed(passage: Passage, counts: Callable[[FoundNumber], bool]) -> FoundNumber | None:
    """The last number in the last box, if only one thing stands there."""
    boxes = list(_BOXED.finditer(passage.text)) if "\\" in passage.text else []
    if not boxes:
        return None
    last = boxes[-1]
    end = _closing_brace(passage.text, last.end())
    inside = [number for number in passage.numbers(last.end(), end) if counts(number)]
    if len(inside) > 1 and not inside[-1].problem:
        return replace(inside[-1], problem=f"{passage.text[last.start() : end + 1][:60]} holds several numbers")
    return passage.judged(inside[-1]) if inside else None


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for place in range(start, min(len(text), start + 2000)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place
    return min(len(text), start + 2000)


_REACH = 300
"""How many characters before a number the bracket may open that it explains something in."""


_QUANTITY_BEFORE = re.compile(r"\d[ ]?[^\W\d_°%€$£¥²³/.*]{0,12}[°%€$£¥²³/.*]{0,3}[^\W\d_]{0,3}[*_]{0,3}[ ]\Z")
_A_UNIT = re.compile(r"[^\W\d_]|[°%€$£¥]")


def _only_explains(text: str, number: FoundNumber, floor: int) -> bool:
    """Whether the number stands, with words, in brackets that follow something."""
    nearest = max(floor, number.start - _REACH)
    line = max(text.rfind("\n", nearest, number.start) + 1, nearest)
    opening = _open_bracket(text, line, number.start)
    if opening < 0:
        return False
    closing = text.find(")" if text[opening] == "(" else "]", number.end)
    content = text[opening + 1 : closing if closing >= 0 else number.end + 40]
    ahead = text[line:opening]
    if not re.search(r"[^\W_]", ahead):  # a line, or a paragraph, of its own
        ahead = text[max(0, line - _REACH) : line] if closing >= 0 and not re.match(r".*\w", text[closing:]) else ""
    rest = content.replace(number.text, "", 1)
    has_more = re.search(r"[^\W\d_]{2,}|\d|\A(?:[≈~=±]|\+/-)", rest) is not None
    if _QUANTITY_BEFORE.search(ahead) and (number.units or _A_UNIT.search(rest)):
        return True  # 100 °C (212 °F)
    return has_more and re.search(r"\d", ahead) is not None


def _open_bracket(text: str, start: int, place: int) -> int:
    """Where the bracket opens that is still open at `place`, or -1."""
    depth = 0
    for at in range(place - 1, start - 1, -1):
        if text[at] in ")]":
            depth += 1
        elif text[at] in "([":
            if not depth:
                return at
            depth -= 1
    return -1


def _without_closing(text: str, numbers: list[FoundNumber], floor: int) -> list[FoundNumber]:
    """Without the numbers of questions and offers at the end."""
    kept = list(numbers)
    while kept and _is_in_closing(text, kept[-2].end if len(kept) > 1 else floor, kept[-1]):
        kept.pop()
    return kept


def _is_in_closing(text: str, before: int, number: FoundNumber) -> bool:
    """Whether the number is in a sentence, begun after the place before it, that asks or offers something."""
    starts = [found.end() for found in _SENTENCE_END.finditer(text, before, number.start)]
    begin = starts[-1] if starts else before
    end = _SENTENCE_END.search(text, number.end, number.end + 400)
    sentence = text[begin : end.end() if end else number.end + 400].strip()
    asks = sentence.rstrip("*_\"' )").endswith(("?", "？", "؟"))
    if not starts and (before == 0 or text[before - 1] != "\n"):
        ahead = text[before : number.start]
        earlier = [found.end() for found in _SENTENCE_END.finditer(text, max(0, before - 200), before)]
        if asks and earlier and _ASKING.match(text, earlier[-1]):
            return True
        return asks and re.search(r"[–—;,-][ ](?=\w)", ahead) is not None and _OFFERING.search(ahead) is not None
    return _OFFER.match(sentence) is not None or (asks and not _DOUBTING.match(sentence))


_ASKING = re.compile(
    r"\W{0,8}(?:would|do|does|shall|should|can|could|may|want|how|what|which|soll|möcht|wollen|voulez|souhait|quieres"
    r"|desea|quer|vuo|wil)",
    re.IGNORECASE,
)
_OFFERING = re.compile(
    r"\b(?:shall|should|would|do[ ]you|can[ ]i|could|want|like|soll|möcht|voulez|quieres|deseas|quer|vuoi)\b",
    re.IGNORECASE,
)


def _emphasised(text: str, given: list[FoundNumber]) -> FoundNumber:
    """The last number, or the one in bold before it on its line where the last one only qualifies that."""
    last = given[-1]
    line = text.rfind("\n", 0, last.start) + 1
    line_end = text.find("\n", last.end)
    line_end = len(text) if line_end < 0 else line_end
    if "|" in text[line:line_end] or line_end - line > 4000 or not _MARK.search(text, line, line_end):
        return last
    bold = _bold_spans(text, line, line_end)
    if any(start <= last.start < end for start, end in bold):
        return last
    on_line = [number for number in given if line <= number.start]
    marked = [number for number in on_line if any(_is_all_of(text, number, start, end) for start, end in bold)]
    if not marked:
        return last
    chosen = marked[-1]
    for later in on_line[on_line.index(chosen) + 1 :]:
        between = text[chosen.end : later.start]
        if _STATEMENT.search(text[chosen.end : later.start]):
            return last
        if _CONTRAST.search(between) or not _QUALIFYING.search(between):
            return replace(last, problem=last.problem or f"{last.text} {_UNSURE}: {chosen.text}")
    return chosen


_RESULT_BEFORE = re.compile(r"[=≈][ ]?[*_$\\~(€£]{0,4}\Z")
_PREPOSITION = re.compile(
    r"(?<!\w)(?:for|in|of|from|out|with|by|per|over|on|at|to|than|among|between|across|during|within|given|für|von|mit"
    r"|bei|pro|pour|de|dans|avec|sur|par|para|con|por|en|com|di|per|su|voor|van|met|na|to[ ][^\W\d_]+)"
    r"(?:[ ](?:the|a|all|both|each|every|your|their|his|her|its|our|these|those|of|die|den|les|los|las))?"
    r"[ ][*_$€£(\\]{0,3}\Z|(?<!\w)(?:if|when|because|since|after|before|wenn|nach|après|si|cuando|se)(?!\w)",
    re.IGNORECASE,
)
_FURTHER_STATEMENT = re.compile(
    r"(?<!\w)(?:(?:i|you|he|she|it|we|they)(?:'ll|'d|[ ](?:can|could|will|would|may|might|must|should))"
    r"|(?:is|are|was|were)(?![ ]left)|so|therefore|thus|then|hence|which|leav(?:es?|ing)|(?<!to[ ])makes?"
    r"|making|gives?|gets?|(?<!in[ ])total\w*|equals?|but|however|actually|now|has|have|had|needs?|costs?|pays?|earns?"
    r"|also|while|ist|sind|dann|aber|est|sont|donc|mais|es|son|entonces|pero|é|são|então|mas|è|sono|quindi|ma)(?!\w)"
    r"|[=≈→;:]",
    re.IGNORECASE,
)


_IN_SO_MANY = re.compile(
    r"(?<!\w)(?:in|for|among|between|across|over|within|during|für|pour|dans|para|en|per|voor)"
    r"(?:[ ](?:the|all|these|those|each[ ]of|die|les|los|las))?[ ]\Z",
    re.IGNORECASE,
)


def _main(text: str, given: list[FoundNumber]) -> FoundNumber:
    """The last number, or the result before it in its sentence that later ones only qualify.

    That is what stands behind an =, or an amount of money: "30 + 20 = 50 miles in 7 hours", "$36 for the 2 shirts".
    """
    last = given[-1]
    for at in range(len(given) - 2, -1, -1):
        number = given[at]
        if last.start - number.end > _REACH:
            break
        if at < len(given) - 2 and _is_sum_of(text, number, given[at + 1 :]):
            return number
        if _SENTENCE_END.search(text, number.end, last.start):
            break
        is_result = _RESULT_BEFORE.search(text, max(0, number.start - 8), number.start) is not None
        is_money = _is_money(number) and not any(map(_is_money, given[at + 1 :]))
        ends = (one.end for one in given[at:])
        if (is_result or is_money) and all(
            _qualifies(text[end : one.start], is_first=one is given[at + 1])
            for end, one in zip(ends, given[at + 1 :], strict=False)
        ):
            return number
        if at == len(given) - 2:
            last = _with_doubt(text, number, last)
    return last


_CHANGED_BY = re.compile(
    r"[=≈+×*/\n]|\d[ ]?[-–−][ ]?[$€£\d]|(?<!\w)(?:so|therefore|thus|then|hence|left|leav\w+|remain\w*|change|minus|less"
    r"|after|spen[dt]\w*|pa(?:y|ys|id)|g[ai]ve\w*|has|have|had|gets?|owe\w*|sav\w+|back|discount\w*|now|but|tax"
    r"|tip)(?!\w)",
    re.IGNORECASE,
)


def _is_sum_of(text: str, number: FoundNumber, parts: list[FoundNumber]) -> bool:
    """Whether the number is told first and then what it is made of: "$39.25: $23.75 for a burger and $15.50 ..."."""
    amounts = (number, *parts)
    if not all(_is_money(one) and not one.problem for one in amounts):
        return False
    total = sum((one.value for one in parts), Decimal(0))
    return total == number.value and not _CHANGED_BY.search(text, number.end, parts[-1].start)


def _is_money(number: FoundNumber) -> bool:
    """Also where it is an amount for each night."""
    return any(unit.partition("/")[0] in CURRENCIES for unit in number.units)


def _with_doubt(text: str, before: FoundNumber, last: FoundNumber) -> FoundNumber:
    """The last number; it is doubtful where it counts what the one before it is in or for: 12 apples in 3 baskets."""
    between = text[before.end : last.start]
    counts_both = before.units and last.units and not (_is_money(before) or _is_money(last) or last.is_percent)
    is_plain = counts_both and not before.problem and not last.problem
    if is_plain and _IN_SO_MANY.search(between) and not _FURTHER_STATEMENT.search(between):
        return replace(last, problem=f"{last.text} may only qualify {before.text}: say `unit`, or `take: only`")
    return last


def _qualifies(between: str, *, is_first: bool) -> bool:
    """Whether a number behind these words says something of the one before them, and isn't stated by itself."""
    if _FURTHER_STATEMENT.search(between) or re.match(r"[ ]?[-–+×*/÷(]", between):
        return False
    return not is_first or _PREPOSITION.search(between) is not None


def _bold_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    marks = [found.span() for found in _MARK.finditer(text, start, end)]
    if any(text[begin] == "\\" for begin, _ in marks):
        return [(last, _closing_brace(text, last)) for begin, last in marks if text[begin] == "\\"]
    return [(opened[1], closed[0]) for opened, closed in zip(marks[::2], marks[1::2], strict=False)]


def _is_all_of(text: str, number: FoundNumber, start: int, end: int) -> bool:
    """Whether the bold text is this number, with its unit and perhaps "Total: " before it, and no label."""
    if not start <= number.start < end:
        return False
    rest = text[number.unit_end or number.end : end].strip(" .!*_$\\}")
    ahead = text[start : number.start].strip(" *_$\\(")
    is_label = text[end : end + 6].lstrip("*_ ").startswith(":") or text[start:end].rstrip().endswith(":")
    return (
        not is_label
        and len(rest.split()) <= 3
        and (not ahead or ahead.endswith((":", "=")) or len(ahead.split()) <= 4)
        and not re.search(r"\d", ahead)
    )
