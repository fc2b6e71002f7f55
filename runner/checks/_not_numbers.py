"""Digits that give no number: dates, times, years, codes, citation marks, list numbers, names of pages and rooms.

Every pattern runs in linear time: repetitions are possessive, bounded, or at the end of an alternative, where nothing
is tried again. Groups are never possessive: before 3.11.5, `re` takes a part of their last repetition along.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from runner.checks._units import LETTER, comparable, dimensions, months, multiplier, short_months, unit_name
from runner.checks._wording import Alternatives, IgnoringCase

Span = tuple[int, int]

_NOTE = r"\[{1,2}\d{1,3}(?:[ ]?[,;–-][ ]?\d{1,3}){0,12}\]{1,2}(?:\([^()\s]{0,300}\))?"
_WHOLE_NOTE = re.compile(rf"[\s*_]*{_NOTE}[\s*_.]*")
_FILE_TYPES = (
    "pdf|docx?|xlsx?|pptx?|odt|ods|csv|tsv|txt|md|rtf|html?|xml|json|jsonl|ya?ml|png|jpe?g|gif|webp|svg|zip|py|js|log"
)
_MARKS = Alternatives(
    rf"""
    \[\^[^\]\n]{{1,20}}\]
  | \[(?i:sources?|docs?|documents?|refs?|references?|notes?|fn|fig|figure|pages?|pp?|citations?
      |quellen?|fontes?|fuentes?)
      [.:# ]{{0,3}}\d[^\]\n]{{0,80}}\]
  | \((?i:sources?|see|refs?|cf|siehe|vgl|s|voir|véase|ver|vedi|p|pp|pages?|seite|fn)[.:]?[ ][^()\n]{{0,80}}\)
  | :contentReference\[[^\]\n]{{0,40}}\](?:\{{[^{{}}\n]{{0,40}}\}})?
  | \\(?:cite\w{{0,8}}|ref|eqref|label|footnotemark|tag|hspace|vspace)\*?(?:\[[^\]\n]{{0,40}}\])?\{{[^{{}}\n]{{0,80}}\}}
  | <!--[^<>]{{0,2000}}--> | </?[A-Za-z][^<>]{{0,500}}>
  | (?<=\])\((?:[^()\s]|\([^()\s]{{0,100}}\)){{1,300}}(?:[ ]"[^"\n]{{0,200}}")?\)
  | (?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,64}}(?:\.[\w-]{{1,32}}){{1,5}}
  | (?<![\w.,])\d[\w.,-]{{0,60}}\.(?i:{_FILE_TYPES})(?!\w)
    """,
    others=r"""
    【[^【】\n]{0,300}】 | \[\d{1,4}(?::\d{1,4})?†[^\]\n]{0,300}\] | [†‡]\d{1,2}(?!\d) | \d\ufe0f?\u20e3
    """,
)

_NOTES = re.compile(_NOTE)
_BEFORE_A_VALUE = re.compile(
    r"(?:=|(?:\b(?i:a|answer|total|result|sum|antwort|respuesta|réponse|resposta|risposta))[ ]?:)[ ]?[*_$]{0,3}\Z"
)
_TAG_OF_A_MONTH = r"(?:st|nd|rd|th|er|ère|º|ª|°|\.)?"
_DAY = (
    rf"(?<![\w.,$€£¥/-])(?:\d{{1,2}}{_TAG_OF_A_MONTH}[ ]?(?:[-–/]|to|and|bis|und|au|et|al?|y|e)[ ]?)?"
    rf"\d{{1,2}}{_TAG_OF_A_MONTH}"
)
_OF = r"(?:[ \u00a0](?:of|de|di)[ ]|[ \u00a0]d['’]|[ \u00a0]|-|\.|/)"
_YEAR_AFTER = r"(?:(?:,?[ \u00a0]|[ ](?:of|de|del|do|di)[ ])'?\d{4}|[-/.][ ]?\d{4}|[-/]\d\d|[ ]'\d\d)(?!\d|[.,]\d)"
_MONTH = rf"(?P<month>{LETTER}{{3,14}})"
_DATES = (
    re.compile(rf"{_DAY}{_OF}{_MONTH}(?P<dot>\.?)(?P<year>{_YEAR_AFTER})?"),
    re.compile(
        rf"(?<![\w-]){_MONTH}(?P<dot>\.?)(?:(?P<year>(?:[ ]|[ ](?:of|de|del)[ ]|-)\d{{4}}|-\d\d|[ ]?'\d\d)"
        rf"|[ \u00a0]\d{{1,2}}{_TAG_OF_A_MONTH}(?:[ ]?[-–][ ]?\d{{1,2}}{_TAG_OF_A_MONTH})?"
        r"(?:,?[ ](?:de[ ])?'?\d{4})?)(?![\w%€]|[.,:]?\d)"
    ),
    re.compile(
        rf"(?<![\w.,$€£¥])(?P<year>\d{{4}})[.,]?[ ](?:m\.[ ]"
        rf"|gada[ ])?(?:\d{{1,2}}\.?[ ])?{_MONTH}(?P<dot>\.?)(?:[ ]\d{{1,2}}\.?)?(?!\d|[.,]\d)"
    ),
)
_MONTHS_THAT_ARE_WORDS = frozenset(
    "may march mar set out ago mag dis des pro elo ara led dub sie lip lis kas hun hul tem tra ag ene gen giu mac mai"
    " mei".split()
)
_TIMES = Alternatives(
    r"""
    (?<=am[ ])\d\d?\.\d\d?\.(?!\d) | (?<=vom[ ])\d\d?\.\d\d?\.(?!\d) | (?<=zum[ ])\d\d?\.\d\d?\.(?!\d)
  | (?<=bis[ ])\d\d?\.\d\d?\.(?!\d)
  | (?<![\d.,/$€£¥-])(?:(?:0[1-9]|1[0-2])[/-](?:19|20)\d\d|(?:19|20)\d\d[/-](?:0[1-9]|1[0-2]))(?![\d/]|[.,]\d)
  | (?<!\w)(?:Q[1-4]|[1-4]Q|H[12]|[12]H|FY|CY|GJ|T[1-4]|S[12]|AF|EF|(?:KW|CW|W)[ ]?\d\d?)
      (?:[ /'’-]{0,2}(?:19|20)\d\d|['’/-]?\d\d)?(?![\w%]|[.,]\d)
  | (?:[ (]|\A)[’']\d\d(?![\w.,'’]) | \d{4}s(?!\w) | (?<![\d./])24[ ]?/[ ]?7(?:/365)?(?![\d/])
  | (?<![\d./])(?:9/11|50/50|7/24)(?![\d/])
  | (?:(?<=at[ ])|(?<=à[ ])|(?<=às[ ])|(?<=as[ ])|(?<=um[ ])|(?<=ab[ ])|(?<=vers[ ]))\d{1,2}[ ]?h(?!\w)
  | (?<!\w)(?:UTC|GMT|MEZ|CET|EST|PST)[ ]?[-+–±][ ]?\d{1,2}(?::?\d\d)?(?!\d)
  | \d{1,2}(?:[.:]\d\d)?[ \u00a0]?(?:Uhr|часов[ ](?:утра|вечера)|o'clock|noon|midnight|godz\.?)(?!\w)
      (?:[ ]\d\d(?![\w.,]))?
  | (?:godz\.|kl\.|klo)[ ]\d{1,2}(?:[.:]\d\d)?
  | (?i:open|hours|geöffnet|ouvert|abierto)\b[^.!?\d\n]{0,30}\d\d?[ ]?(?:[-–]|to|bis|à|a)[ ]?\d\d?
      (?![\w%$€£]|[.,:]\d|[ ]\w)
    """,
    others=r"""
    \d{2,4}年(?:度|\d{1,2}月(?:\d{1,2}[日号號])?) | (?:19|20)\d\d年 | \d{1,2}月(?:\d{1,2}[日号號]|[初末底中上下])
  | \d{1,2}月(?!\w) | (?:ngày|tháng|năm|thứ)[ ]\d{1,4}(?!\d|[.,]\d)
  | \d{4}년(?:[ ]?\d{1,2}월(?:[ ]?\d{1,2}일)?)? | \d{1,2}월(?:[ ]?\d{1,2}일)? | (?:令和|平成|昭和|民国|民國)\d{1,3}年
  | (?:午前|午後|上午|下午|晚上|早上|凌晨|오전|오후)[ ]?\d{1,2}[時时点點시](?:[ ]?\d{1,2}[分분]|半)?
  | \d{1,2}[時时点點](?!間|间)(?:\d{1,2}分|半) | \d{1,2}시[ ]?\d{1,2}분
    """,
    of_years=r"""
    (?:19|20)\d\d[ ]?(?:г(?:од[ау]?|\.)|рік|року|rok\w?|r\.(?!\w)|m\.(?!\w))(?!\w)
  | \d\d?\.[ ]\d\d?\.[ ](?:19|20)\d\d(?!\d)
  | (?<![\d.,/$€£¥-])(?:19|20)\d\d[/–-](?:19|20)?\d\d(?![\w%€$£/]|[.,]\d
      |[ ](?!and\b|or\b|was\b|is\b|season|fiscal|school|budget)[a-zäöü%€$£])
  | (?<![\d.,])(?:19|20)\d\d[ /-]?(?:Q[1-4]|[1-4]Q|H[12]|W\d\d?|KW[ ]?\d\d?)(?!\w)
  | (?i:quarter|quartal|trimestre|квартал[еа]?|half|halbjahr|semestre|kwartał|kwartaal|çeyrek|financial[ ]year
      |fiscal[ ]year|season|saison
      |copyright|©|class[ ]of|summer|winter|spring|autumn|fall|sommer|frühjahr|herbst|édition|edition)
    (?:[ ](?:of|de|del|do|des|di|of[ ]the[ ]year))?[ ](?:19|20)\d\d(?![\w%€$£]|[.,]\d)
    """,
    first=r"0-9A-Z\[ (’'ghko",
)
_YEAR_WORDS = (
    "in|since|during|anno|year|years|the[ ]year|im[ ]Jahre?|Jahre?|seit|année|l'année|l'an|en|depuis|dès|año|ano|desde"
    "|em|nel|dal|del|anno|в|с|во|za|od|w|v[ ]roce|roku|rok|r\\.|yılı|år|vuonna|i|sinds|jaar|het[ ]jaar|από|năm|tahun|ปี"
    "|เมื่อ|वर्ष|सन्|عام|سنة|في"
)
_YEARS = re.compile(
    rf"(?<!\w)(?:{_YEAR_WORDS})[ ](?P<year>(?:19|20)\d\d)(?![\w%€$£/]|[.,:]\d"
    rf"|[ ]?[-+*/×÷=<>][ ]?\d)(?:[ ]?(?P<unit>{LETTER}{{1,30}}|[%€$£]))?",
    re.IGNORECASE,
)
_PERHAPS_A_YEAR = re.compile(
    r"(?:\b(?i:by|until|till|before|after|from|for|of|through|to|as[ ]of|bis|ab|für|pour|para|per|jusqu'en|hasta"
    r"|até|fino[ ]al|до|на|после|do|po|tot|voor|\()[ ]|\()\Z"
)
_CODES = Alternatives(
    r"""
    (?<![\w.,])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?(?![.,]\d)){2,6} | \(\d{2,5}\)[ -]?\d{3,4}[ -]\d{3,5}(?!\d)
  | (?<![\w.,])0\d{1,4}(?:[ ./-]\d{2,9}){1,5}(?![.,]?\d) | (?<![\w.,])\d{3}[-.]\d{3}[-.]\d{4}(?![.,]?\d)
  | (?<!\w)[A-Z]{2}\d\d(?:[ ]?[\dA-Z]{4}){2,8}(?:[ ]?[\dA-Z]{1,4})?(?!\w) | (?<![\w.,])\d{4}(?:[ -]\d{4}){2,4}(?![\w.,])
  | (?:\*{4,16}|[xX•]{3,16})[ -]?\d{2,4}(?![\d.,]\d?) | (?i:ending[ ](?:in|with)|endet[ ]auf)[ ]\d{2,6}(?!\d)
  | (?<!\w)(?:[Nn][°º]|№|[Nn]r\.?|[Nn]ro\.?|[Nn]úm\.|[Nn]um\.|[Nn]o\.|[Nn]os\.)[ ]?\d[\w/-]*
  | §{1,2}[ ]?\d+\w?(?![.,]\d) | (?<![\w.,$€£-])(?:[2-6]G(?!\w)|401\(k\))
  | (?<!\w)[第][ ]?\d+
  | (?<!\d)\d++(?:번째|등|회차|ère|ème|eme|de(?=[ ]eeuw)|:[ea](?!\w)
      |-(?:й|я|е|го|му|ом|ой|ый|ого|му|х|ті|та|ше)(?!\w)|'?(?:[ıiuü]nc[ıiuü]|nc[ıiuü])\w{0,4}|º|ª|[.]º|[.]ª)
  | (?<!\d)\d++(?:er|e|o|a|os|as|ste|de|th|ος|η)
      (?=[ ](?:siècle|arrondissement|étage|rang|place|piso|lugar|plaats|eeuw|janvier|trimestre)) | (?<=[ (])\d++er(?!\w)
    """,
    first=r"+(0-9A-Z*xXeNn§",
)
_INTEGER_LABELS = (
    "pages?|pp?\\.|rooms?|rules?|ref\\.?|reference|errors?|https?|status|code|isbn|issn|chapters?|ch\\.|steps?|gates?"
    "|platforms?|figures?|fig\\.|appendix|articles?|paragraphs?|footnotes?|exercises?|flight|extension|ext\\.|serial|id"
    "|ad|rfc|iso|din|ieee|covid|order(?=[ ](?:no|nr|number|id))|invoice|ticket|bookings?|reservations?|account|receipt"
    "|customer|(?<!in )case|sku|zip|phone|tel\\.?|fax|terminal|seat|lines?|bus|tram"
    "|(?<!per )(?<!a )(?<!each )(?<!every )(?<!this )(?<!last )(?<!next )(?:weeks?|days?|tag|woche|semaine|semana)"
    "|lesson|form|phase|option|question|windows|macos|ios|android|ubuntu|iphone|ipad|galaxy|boeing|airbus|route|highway"
    "|interstate|formula|apollo|playstation|xbox|gpt|llama|seiten?|s\\.|zimmer|raum|schritte?|kapitel|abschnitt|abs\\."
    "|art\\.|rechnung(?:snummer)?|bestellung|kundennummer|konto|gleis|linie|tisch|tabelle|abbildung|abb\\.|plz|halle"
    "|étape|chapitre|chambre|facture|commande|page|tableau|quai|páginas?|págs?\\.|paso|capítulo|habitación|factura"
    "|pedido|passo|capitolo|pagina|pag\\.|camera|fattura|stanza|стр\\.?|страниц[аеы]|комната|глава|шаг|счёт|счет|заказ"
    "|str\\.|strona|rozdział|pokój|krok|faktura|blz\\.|hoofdstuk|kamer|stap|sayfa|oda|bölüm|adım|페이지|ページ"
)
_DECIMAL_LABELS = (
    "versions?|usb|hdmi|bluetooth|sections?|sec\\.|chapters?|clauses?|figures?|fig\\.|rules?|appendix|python|java|node"
    "|php|ruby|abschnitt|kapitel|v\\.|release|api|table|tabelle|версия|versión|versão|versione|wersja"
)
_NUMBER_OF = (
    r"(?:[ ](?:no\.|nr\.?|number|id|num\.?))?(?:(?:(?<=ref)|(?<=isbn)|(?<=issn)|(?<=\bid)|(?<=code)|(?<=reference)"
    r"|(?<=ref\.)|(?<=phone)|(?<=sku)|(?<=zip)|(?<=tel)|(?<=fax)|(?<=number)):|(?<=number)[ ]is)?[ ]"
)
_FIRST_ONES = r"(?:\d{1,5}(?:[-–]|[ ](?:of|and|to|or|&)[ ]))?"
_END = r"[*_\"']{0,3}(?=\d)"
_INTEGER_LABEL = IgnoringCase(rf"\b(?<!-)(?:{_INTEGER_LABELS}){_NUMBER_OF}(?P<first>{_FIRST_ONES}){_END}")
_DECIMAL_LABEL = IgnoringCase(rf"\b(?<!-)(?:{_DECIMAL_LABELS}){_NUMBER_OF}{_END}")
_AFTER = re.compile(r"(?:(?<=\d\d\d)[pi]|[ ]?(?:BCE?|CE|AD|B\.C\.(?:E\.)?|A\.D\.))(?!\w)")
_LIST_NUMBER = re.compile(r"^[ \t>#*_-]{0,12}\(?(?P<number>\d{1,3})[.)](?=[ \t*_]{1,12}\S)", re.MULTILINE)
_INLINE_NUMBER = re.compile(r"(?<=[\s:;,])\((?P<number>\d{1,2})\)(?=[ ]\w)")


def spans_of_other_digits(text: str, start: int, end: int) -> list[Span]:
    """Where digits between `start` and `end` stand in something that is no number, in order."""
    spans = [found.span() for pattern in (_MARKS, _TIMES, _CODES) for found in pattern.finditer(text, start, end)]
    spans += _dates(text, start, end)
    spans += _notes(text, start, end)
    spans += _years(text, start, end)
    return sorted(spans)


def _notes(text: str, start: int, end: int) -> Iterator[Span]:
    """Marks such as [1]; the answer "[42]", and what follows "Answer:", is a number in brackets."""
    for note in _NOTES.finditer(text, start, end):
        is_value = _BEFORE_A_VALUE.search(text[max(0, note.start() - 24) : note.start()])
        if not is_value and not _WHOLE_NOTE.fullmatch(text):
            yield note.span()


def _dates(text: str, start: int, end: int) -> Iterator[Span]:
    for pattern in _DATES:
        for found in pattern.finditer(text, start, end):
            if _is_month(found["month"], has_year=bool(found["year"]), has_dot=bool(found["dot"])):
                yield found.span()


@lru_cache(maxsize=4096)
def _is_month(word: str, *, has_year: bool, has_dot: bool) -> bool:
    """A short name that is a word of some language needs a year or a full stop, May and March a capital."""
    key = comparable(word)
    if key in ("may", "march") and not word[0].isupper():
        return False
    if key in _MONTHS_THAT_ARE_WORDS and key not in ("may", "march", "mai", "mar"):
        return has_year and key in short_months()
    return key in months() or (key in short_months() and (has_year or has_dot or word[0].isupper()))


_FOUR_DIGITS = re.compile(r"(?:19|20)\d\d")


def _years(text: str, start: int, end: int) -> Iterator[Span]:
    if not _FOUR_DIGITS.search(text, start, end):
        return
    for found in _YEARS.finditer(text, start, end):
        unit = found["unit"] or ""
        has_unit = unit and (dimensions(unit) or unit_name(unit) in ("%", "‰") or multiplier(unit, "") is not None)
        if not has_unit or unit in ("in", "a", "e", "y", "an", "o"):
            yield found.span("year")


def is_perhaps_a_year(text: str, start: int, end: int) -> bool:
    """Whether the bare digits there may be a year: "for 2025", "(2025)"."""
    written = text[start:end]
    return (
        len(written) == 4
        and written[:2] in ("19", "20")
        and written.isdecimal()
        and _PERHAPS_A_YEAR.search(text[max(0, start - 14) : start]) is not None
    )


class Labels:
    """Where numerals between `start` and `end` name a page, a room, an error; only digits do, but for versions."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text = text
        self._of_integers = set[int]()
        for found in _INTEGER_LABEL.finditer(text, start, end):
            self._of_integers |= {found.end(), found.start("first")}
        self._of_all = {found.end() for found in _DECIMAL_LABEL.finditer(text, start, end)}

    def name(self, start: int, end: int) -> bool:
        """Whether the numeral there is a name."""
        if start in self._of_all:
            return True
        is_named = start in self._of_integers or _AFTER.match(self._text, end) is not None
        return is_named and self._text[start:end].isdecimal()


def list_numbers(text: str) -> frozenset[int]:
    """Where lines are numbered: 1 with a 2 (or another 1) elsewhere, and what goes on counting from there.

    A lone "39." at the start of a line is no list, a lone "1." below other lines is one.
    """
    numbers: set[int] = set()
    for pattern in (_LIST_NUMBER, _INLINE_NUMBER):
        markers = list(pattern.finditer(text))
        counts = Counter(int(marker["number"]) for marker in markers)
        last = 0
        while counts[last + 1] and (
            counts[1] > 1 or counts[2] or (pattern is _LIST_NUMBER and text[: markers[0].start()].strip())
        ):
            last += 1
        numbers.update(marker.start("number") for marker in markers if 1 <= int(marker["number"]) <= last)
    return frozenset(numbers)
