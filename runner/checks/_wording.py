"""What the words around a number make of it: a range, a denial, a bound, a part of a sum.

First, large patterns made quick on plain ASCII text, which most answers are; what they match stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

_YEAR = re.compile(r"(?:19|20)\d\d")


class IgnoringCase:
    """A pattern, written in lower case, that ignores case. What matches contain may be in lower case; places are right.

    `hint` is one that is found wherever this one is, in lower case: what most texts lack is not looked for at length.
    """

    def __init__(self, source: str, *, hint: str = "") -> None:
        self._of_lower_ascii, self._of_any, self._hint = source, f"(?i){source}", hint

    def search(self, text: str) -> re.Match[str] | None:
        if not text.isascii():
            return _compile(self._of_any).search(text)
        lower = _lower(text)
        return _compile(self._of_lower_ascii).search(lower) if _compile(self._hint).search(lower) else None

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        if text.isascii():
            return _compile(self._of_lower_ascii).match(_lower(text), start)
        return _compile(self._of_any).match(text, start)

    def finditer(self, text: str, start: int, end: int) -> Iterator[re.Match[str]]:
        if text.isascii():
            return _compile(self._of_lower_ascii).finditer(_lower(text), start, end)
        return _compile(self._of_any).finditer(text, start, end)


@cache
def _compile(source: str) -> re.Pattern[str]:
    """Once it is needed: most patterns never are."""
    return re.compile(source)


@lru_cache(maxsize=64)
def _lower(text: str) -> str:
    return text.lower()


class Alternatives:
    """A pattern in re's verbose form, of which ASCII text is held only to what it can match.

    `others` are alternatives that need a character beyond ASCII, `of_years` those that need a year, as 19xx or 20xx.
    What the rest matches begins with one of the ASCII characters `first`, as in a set.
    """

    def __init__(self, rest: str, *, others: str = "", of_years: str = "", first: str = "\\x00-\\x7f") -> None:
        self._of_any = "(?x)" + "|".join(source for source in (others, of_years, rest) if source)
        self._of_yearless_ascii = f"(?x)(?=[{first}])(?:{rest})"
        self._of_ascii = f"(?x){of_years}|{rest}" if of_years else self._of_yearless_ascii

    def finditer(self, text: str, start: int, end: int) -> Iterator[re.Match[str]]:
        fitting = self._of_any
        if text.isascii():
            fitting = self._of_ascii if _YEAR.search(text, start, end) else self._of_yearless_ascii
        return _compile(fitting).finditer(text, start, end)


_SPELLED_REACH = 120
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
SPELLED = "|".join([*sorted(_VALUES, key=len, reverse=True), "hundred", *_SCALES])
"""The words that numbers are made of, for use in a pattern."""
_RUN = re.compile(rf"(?<![\w-])(?:(?:{SPELLED})(?:-|[ ]and[ ]|[ ])){{1,16}}\Z", re.IGNORECASE)
_PARTIAL = re.compile(r"(?:\d|\b(?:point|half|quarters?|thirds?|and)|[^\W\d]-)[ ]?\Z", re.IGNORECASE)


def spelled_value(before: str) -> int | None:
    """The value of the words that `before` ends in; None without any, or after "point", "half a" or digits."""
    reached = before[-_SPELLED_REACH:]
    run = _RUN.search(reached)
    if run is None or _PARTIAL.search(reached[: run.start()].removesuffix("a ")):
        return None
    return _value_of(run.group())


def _value_of(words: str) -> int:
    total = current = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        elif word == "hundred":
            current = max(current, 1) * 100
        else:
            current += _VALUES.get(word, 0)
    return total + current


_NUMBER_IN_WORDS = re.compile(rf"(?<![\w-])(?:{SPELLED})(?:(?:-|[ ]and[ ]|[ ])(?:{SPELLED}))*(?!\w)", re.IGNORECASE)


def spelled_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers in English words stand, and their values."""
    for found in _NUMBER_IN_WORDS.finditer(text):
        yield found.start(), _value_of(found.group())


_REACH = 60
_TAG_REACH = 200
_FILLER = (
    "be|been|is|exactly|precisely|equal|equals|to|the|a|an|just|only|pay|paying|cost|costs|come|comes|owe|have|worth"
    "|total|true|amount|sum|price|as|much|even|quite|simply|really|actually|at|for|of|more|less|than|answer|correct"
    "|right|your|need|charged?|accept|offer|takes?|require|see|last|gives?[ ](?:you|us|them)|offer[ ]you|necessarily"
    "|always|usually|result|say|saying|claim|call|it|this|that|give|guess|assume|believe|think|sure|certain|convinced"
    "|was|were|would|if"
)
_FILLERS = rf"(?:[ ](?:{_FILLER})\b(?:'s)?)"
_MARKS = r"[*_(\\~≈$]{0,4}"
_SURE = r"(?<!\bno[ ])(?<!out[ ])(?<![ ]a[ ])(?<!any[ ])(?<!beyond[ ])(?<!\bof[ ])(?<!not[ ])(?<!n't[ ])"


_NEVER = re.compile(r"(?!)")
_NOBODY = (
    r"nobody|no[ ]one|none[ ]of(?:[ ]\w+){1,2}|nothing|no[ ](?:such[ ])?\w{3,15}|niemand|personne[ ]ne|nadie|nessuno"
)
_SAID = "(?:answer|total|result|price|fee|amount|number|figure|rate|cost|date|day)"
_DENIED = (
    IgnoringCase(
        r"(?:\b(?:not|never|cannot|instead[ ]of|rather[ ]than|other[ ]than|no[ ]longer|neither|nor"
        r"|except|unlikely|hardly|scarcely|far[ ]from|(?:can't|cannot|couldn't|won't|(?:unable|not[ ]able)[ ]to)[ ]"
        r"(?:confirm|verify|(?:tell|promise|guarantee)(?:[ ]you)?)"
        rf"|nowhere[ ]near|anything[ ]but|{_SURE}doubt(?:s|ed|ful)?"
        r"|(?:false|untrue|wrong|incorrect|mistaken|mistake)(?=[ ](?:to|that)\b))\b|n't\b|[≠]|!=|\\neq?\b)"
        rf"{_FILLERS}{{0,5}}[ :*_(\\~≈$]{{0,4}}\Z|\b(?:no|without(?:[ ](?:the|an?|any|that|your))?)[ ]{_MARKS}\Z"
        rf"|(?<!\w)(?:{_NOBODY})(?:[ ](?:else|ever|has|have|had|will|would|should))*[ ](?:pays?|paid|costs?|is|are"
        r"|was|were|gets?|charges?|owes?|takes?|zahlt|kostet|paie|coûte|paga|cuesta|costa|betaalt)"
        rf"(?:[ ](?:charged|just|only|exactly|about|the|an?|as|much|paying))*[ ]{_MARKS}\Z"
        r"|(?<!is[ ])(?<!was[ ])(?<!were[ ])(?<!are[ ])(?<!thing[ ])(?<!'s[ ])\b(?:wrong|incorrect|false|mistaken"
        rf"|outdated|falsch|faux)(?:[ ]{_SAID})?:[ ]{_MARKS}\Z",
        hint=r"n't|no|without|never|cannot|can't|instead|rather|other|neither|except|unlikely|hardly|scarcely|unable|far|thing"
        r"|doubt|false|untrue|wrong|incorrect|mistake|!=|\\n|outdated|falsch|faux|niemand|personne|nadie|nessuno",
    ),
    IgnoringCase(
        r"[\"' *_$)\\]{0,4}(?:is|was|are|would[ ]be)(?:[ ](?:definitely|clearly|simply|actually|also))?"
        r"(?:[ ](?:the[ ]|an?[ ])?(?:wrong|incorrect|false|old|former|previous|outdated|mistake|error|typo"
        r"|last[ ]\w+'s)\b"
        rf"|(?:[ ]not|n't|[ ]no[ ]longer)[ ](?:the[ ]|a[ ])?(?:right|correct|accurate|{_SAID})\b)"
        r"|[ *_$\\]{0,4}(?:[ ]\w{1,12})?(?:\)?[,:;]|[ ]?[(–—→-])[ ]?(?:(?:this|that)(?:'s|[ ]is)[ ])?(?:wrong|incorrect"
        r"|false|mistaken|not[ ](?:right|correct|true)|no|falsch|faux)(?=[ ]?[.!,;)\n*]|\s*\Z)"
        r"|(?:[ ]\w{1,12})?[ ](?:fee|charge|price|rate|discount|offer|tariff|plan|deal|surcharge|fare|deposit|penalty"
        r"|toll|promotion)(?:[ ][a-z]{1,12}){0,3}?[ ](?:(?:is|are|was|were|(?:has|have|had)[ ]been|got)(?:[ ](?:now"
        r"|since|just))?[ ](?:cancell?ed|abolished|dropped|scrapped|removed|discontinued|withdrawn|lifted|suspended"
        r"|invalid|not[ ]valid|gone)|(?:has|have)[ ](?:expired|ended|lapsed|gone)|(?:has|have)[ ]been[ ]replaced"
        r"|isn't[ ]valid)\b"
        r"|[ *_$)\\]{0,4}(?:[ ]\w{1,12})?,[ ]which[ ](?:is|was|would[ ]be)[ ](?:wrong|incorrect|false|mistaken)\b"
        r"|[ *_$)\\]{0,4}(?:[ ]\w{1,12})?[,;.:]?(?:[ ][-–—])?[ ](?:but|though|although|yet|however,?)[ ]"
        r"(?:that|this|it)(?:(?:'s|’s|[ ]is|[ ]was|[ ]would[ ]be)[ ](?:not|wrong|incorrect|false|mistaken)"
        r"|[ ]?(?:isn|wasn|wouldn)['’]t)\b"
        r"|[ *_$)\\]{0,4}(?:[ ]\w{1,12}){0,2}[ ](?:(?:is[ ]|are[ ])?no[ ]longer|do(?:es)?(?:n['’]t|[ ]not)[ ]apply"
        r"|(?:is|are|was|were|been)[ ](?:waived|outdated|obsolete|out[ ]of[ ]date))\b"
    ),
)
_GUESSED = (
    "vielleicht|möglicherweise|peut-être|quizás?|tal[ ]vez|talvez|forse|misschien|kanske|może|возможно|zum[ ]beispiel"
    "|par[ ]exemple|por[ ]ejemplo|por[ ]exemplo|ad[ ]esempio|bijvoorbeeld|например"
)
_OPEN = (
    IgnoringCase(
        r"(?<!\bof[ ])(?<!matter[ ])\bwhether[ ](?!or[ ]not\b)(?:(?![ ](?:and|but|so)[ ])[^.!?,;:\n]){0,40}\Z"
        rf"|\b(?:if|suppose|supposing|assuming|let['’]?s){_FILLERS}{{1,5}}[ ]{_MARKS}\Z"
        rf"|(?:\b(?:maybe|perhaps|possibly|(?:may|might|could)(?:[ ](?:well|also|even))?[ ]be)"
        r"(?:[ ](?:an?|the|as|about|around))?"
        rf"|(?:\b(?:for[ ](?:example|instance)|such[ ]as)|(?<!\w)(?:e\.[ ]?g\.|z\.[ ]?b\.|{_GUESSED})),?)[ ]{_MARKS}\Z",
        hint=r"if|suppos|assum|let|whether|maybe|perhaps|possibly|may|might|could|example|instance|such|e\.[ ]?g"
        r"|z\.[ ]?b|forse|kanske|misschien|vielleicht|quiz|tal|beispiel|exemple|ejemplo|exemplo|esempio|bijvoorbeeld",
    ),
    re.compile(
        r"(?:[^.!?¿。！，；、\n:;,—–(-]|[.,]\d|(?<! )-){0,80}\?(?!\w)"
        r"|[^.!?,;:\n]{0,30}(?:[.!,;:–—-]{1,2}|(?=[ ](?:but|though)))[ ]"
        r"(?i:(?:(?:but|and|though|although|however|honestly|sorry|yet),?[ ]){0,2}(?:i|we)(?:[ ](?:really|honestly))?"
        r"(?:[ ]do(?:n't|[ ]not)[ ]know|[ ]have[ ]no[ ]idea|(?:'m|'re|[ ]am|[ ]are)[ ](?:not[ ]|un)(?:sure|certain)"
        r"|[ ](?:can't|cannot|could(?:n't|[ ]not))[ ](?:confirm|verify|tell|say)|[ ]doubt)"
        r"(?:[ ](?:it|that|this|so|for[ ]sure))?)(?=[ ]?[.!,;\n]|\s*\Z)"
    ),
)
_BOUND = (
    IgnoringCase(
        r"(?:\b(?:(?:less|more|fewer|greater|higher|lower)[ ]than(?:[ ]or[ ]equal[ ]to)?|at[ ]least|at[ ]most|up[ ]to"
        r"|(?:is|are|was|be|well|just|slightly|little|bit|way|costs?|to|totals?|pay|pays)[ ](?:over|under|above|below)"
        r"|in[ ]excess[ ]of|as[ ](?:many|few|much|little)[ ]as|(?:maximum|minimum)(?:[ ]of)?|max\.?|min\.?|shy[ ]of"
        r"|(?:start|begin)(?:s|ing|ning)?[ ](?:at|from)|as[ ](?:low|high)[ ]as"
        r"|(?:prices?|priced|rates?|fares?|tickets?|rooms?|costs?|is|are|available)[ ]from"
        r"|upwards?[ ]of|exceed(?:s|ing)?|(?:\A|[.!?:;|\n])\W{0,4}(?:from|under|below|above|over)"
        r"|no[ ]less[ ]than|a[ ](?:minimum|maximum)[ ]of)[ ]"
        r"|[≥≤≧≦][ ]?|\\[gl]eq?[ ]?|(?<!<)<=?[ ]?|(?<![-=>])>=?|(?<=\w[ ])>=?[ ]|(?<=\()>=?[ ])"
        rf"{_MARKS}\Z",
        hint=r"than|least|most|up|over|under|above|below|excess|as[ ]|max|min|shy|exceed|from|start|begin|[<>=\\]",
    ),
    IgnoringCase(
        r"[*_$)]{0,4}(?:[ ]?\+{1,2}(?=[.,;:!?)*\n]|\s*\Z)|\+(?=\s)"
        r"|(?:[ ]\w{1,12})?[ ](?:or|and)[ ](?:more|less|fewer|up|over|under|above|below|upwards?|higher|lower)\b"
        r"|(?:[ ]\w{1,12})?[ ](?:upwards?|plus(?=[.,;!]|\s*\Z))\b"
        r"|(?:[ ]\w{1,12})?[ ](?:max(?:imum)?|minimum|at[ ](?:the[ ])?(?:most|least|latest|earliest|m\w{2}imum))"
        r"(?!-?\w|[ ](?!(?:per|for|in|and|or|each|a)\b)\w))"
    ),
)
_WORKED_ON = (
    IgnoringCase(
        rf"(?:\b(?:double|twice|triple|thrice|half|(?:{SPELLED})[ ]times"
        r"|(?:a|one|two|three)[ ](?:quarter|third|fourth|fifth|tenth)s?[ ]of)"
        r"|(?:[%¼-¾⅐-⅞]|\d/\d{1,2}|\bper[ ]?cent)[ ]of)(?:[ ]of)?(?:[ ]the)?[ ]"
        rf"{_MARKS}\Z|\d[ ]?[/÷][ ]?{_MARKS}\Z",
        hint=r"double|twice|tripl|thrice|half|times|of|[/÷]",
    ),
    IgnoringCase(
        r"[*_$)]{0,4}[ ](?:et[ ]demi|und[ ](?:ein\w{0,2}[ ])?halb|y[ ]medi|e[ ](?:mei[ao]|mezz)|с[ ]половиной"
        r"|i[ ]pół|buçuk|en[ ](?:een[ ])?hal[fv]"
        r"|och[ ](?:en[ ])?halv|og[ ](?:en[ ])?halv|ja[ ]puoli|et[ ]quart|y[ ]cuarto|und[ ]ein[ ]viertel)|"
        rf"[*_$)]{{0,4}}(?:[ ](?:times|multiplied[ ]by|divided[ ]by)[ ](?:{SPELLED})\b"
        r"|[ ](?:squared|cubed|doubled|tripled|halved)\b"
        r"|(?:[ ]\w{1,12})?[ ]and[ ](?:a[ ](?:half|quarter|third|bit)|change"
        r"|(?:one|two|three)[ ](?:half|quarters?|thirds?))\b"
        r"|(?:[ ]\w{1,12})?[ ](?:plus|\+|minus|less)(?:[ ]\w{1,12}){0,2}?"
        r"[ ](?:tax(?:es)?|vat|gst|tips?|shipping|postage|fees?|interest|service|delivery|expenses"
        r"|discount|coupon|voucher|deposit)\b)"
    ),
)
_FACTOR = re.compile(rf"\d[ ]?(?:×|\\times\b|[ ][x*][ ])[ ]?{_MARKS}\Z")
_RESULT_FOLLOWS = IgnoringCase(r"[ *_$)\\]{0,4}(?:=|≈|→|equals?\b|is\b|makes?\b|comes\b|gives\b|for[ ]a[ ]total)")
_DENIED_ELSEWHERE = (
    IgnoringCase(
        r"(?:(?<!\w)(?:nicht|(?<=[,;][ ])no|(?<=[ ]y[ ])no"
        r"|kein(?:e[mnrs]?)?|niemals|statt|pas|jamais|au[ ]lieu[ ]de|plutôt[ ]que|no[ ](?:es|son"
        r"|fue|eran?|cuestan?|vale|tarda|hay|\w{2,12}mos)|nunca|tampoco"
        r"|não(?:[ ](?:é|são|custam?|há|\w{2,12}mos))?|non(?:[ ](?:è|sono|costa|costano|\w{2,12}iamo))?"
        r"|invece[ ]di|em[ ]vez[ ]de|en[ ]lugar[ ]de|niet|geen|nie|ikke|inte|не|нет|вместо|ليس|ليست|لا|لم)"
        r"(?:[ ](?:genau|etwa|exactement|de|di|es|é|è|exakt|precies|равно|более|هو))?[ ]|(?:不是|并非|並非|不等于"
        r"|不等於|而非|不为))"
        rf"{_MARKS}\Z|[❌✗✘✖][ ]?\Z"
    ),
    IgnoringCase(
        r"[ ]?[❌✗✘✖]|[ *_$)\\]{0,4}(?:[^\s\d]{0,6}[ ]?)?(?:ではありません|ではない|じゃない|でない|(?:이"
        r"|가)?[ ]?아니(?:다|에요|라)|(?:이|가)[ ]?아닙니다|아닙니다|değil\w{0,5}|नहीं|(?:ist|sind|wäre)[ ](?:(?:der"
        r"|die|das)[ ])?(?:falsch\w*|nicht|unrichtig|alte)(?!\w)|(?:est|serait)[ ](?:faux|incorrect|erroné|l'ancien"
        r"|le[ ]mauvais)|(?:es|é|è)[ ](?:(?:el|la|o|a|il)[ ]\w{1,12}[ ])?(?:incorrect[oa]|fals[oa]|errad[oa]"
        r"|sbagliat[oa]|equivocad[oa])|(?:неверно|неправильно)|是错的|是錯的|は間違い)"
    ),
)
_BOUND_ELSEWHERE = (
    IgnoringCase(
        r"(?:(?<!\w)(?:ab|od|från|vanaf|desde|[àa][ ]partir[ ]de|a[ ]partire[ ]da"
        r"|mindestens|wenigstens|höchstens|maximal|minimal|mehr[ ]als|weniger[ ]als|über|unter|bis[ ]zu"
        r"|knapp|au[ ]moins|au[ ]plus|plus[ ]d[e']|moins[ ]d[e']"
        r"|jusqu'à|au-delà[ ]de|m[áa]s[ ]de|menos[ ]de|al[ ]menos|por[ ]lo[ ]menos|como[ ](?:máximo|mínimo)|hasta"
        r"|mais[ ]de|pelo[ ]menos|no[ ](?:máximo|mínimo)|até"
        r"|almeno|pi[ùu][ ]di|meno[ ]di|al[ ](?:massimo|minimo)|fino[ ]a|oltre|minstens|ten[ ]minste|hoogstens"
        r"|maximaal|meer[ ]dan|minder[ ]dan|tot[ ]wel"
        r"|больше|более|меньше|менее|свыше|не[ ]менее|не[ ]более|как[ ]минимум|максимум|минимум|до|от|ponad|powyżej"
        r"|poniżej|co[ ]najmniej|co[ ]najwyżej"
        r"|więcej[ ]niż|mniej[ ]niż|en[ ](?:az|fazla|çok)|minst|högst|mer[ ]än|mindre[ ]än|mere[ ]end|mindst|højst"
        r"|कम[ ]से[ ]कम|अधिकतम|ज़्यादा[ ]से[ ]ज़्यादा"
        r"|أكثر[ ]من|أقل[ ]من|على[ ]الأقل|يزيد[ ]عن|최소|최대|적어도|많아야|almost[ ]double)[ ]"
        r"|(?:超过|超過|不到|至少|最多|大于|小于|高于|低于|多于|少于|不超过|最低|最高|少なくとも|最大|最小)[ ]?)"
        rf"{_MARKS}\Z"
    ),
    IgnoringCase(
        r"[*_$)]{0,4}(?:[ ]?[^\s\d.,;:!?。、]{0,6}?(?:以上|以下|未満|未满|超(?!市)|余り|以内|이상|이하|미만|초과|이내"
        r"|से[ ](?:अधिक|ज़्यादा|ज्यादा|कम|ऊपर)|'?(?:den|dan|ten|tan)[ ](?:fazla|az|çok))"
        r"|(?:[ ][^\W\d_]{1,12})?[ ](?:(?:maximal|höchstens|mindestens|au[ ](?:plus|moins|maximum)|como[ ]m[áí][xn]imo"
        r"|al[ ]m(?:ass|in)imo|no[ ]m[áí][xn]imo)(?!\w)|(?:oder|ou|o|и|или|lub|und|et|y|e)[ ](?:mehr|weniger|plus"
        r"|moins|más|menos|mais|più|meno|больше|более|меньше|więcej|mniej)(?!\w))|[余多几幾][万萬亿億个個]?)"
    ),
)
_CHANGED = (
    r"\b(?:reduced|raised?s?|rose|risen|rises|increase[sd]?|decrease[sd]?|dropp?(?:ed|s)|fell|falls|lower(?:ed|s)|went"
    r"|goes|gone|changed?s?|grew|grown|jumped|cut|moved|climbed|upgraded|updated|corrected|adjusted"
    r"|extended)(?:[ ][^\W\d]{1,15}){0,4}[ ]from[ ]"
)
"""Behind it stands what something was before: reduced from $15 to $12."""
_COMPARED = "gegenüber|im[ ]vergleich[ ]zu|par[ ]rapport[ ]à|frente[ ]a|rispetto[ ]a|vergeleken[ ]met"
_IN_THE_PAST = (
    r"last[ ](?:year|month|week|time|season)|previously|before(?:[ ]that)?|earlier|in[ ]the[ ]past|ago|until[ ]\w+"
    r"|letzte\w?[ ](?:jahr|monat|woche)|früher|bisher|l'année[ ]dernière|l'an[ ]dernier|avant|el[ ]año[ ]pasado|antes"
    r"|l'anno[ ]scorso|prima|vorig[ ]jaar|vroeger"
)
_FORMER = (
    IgnoringCase(
        r"\b(?:used[ ]to[ ](?:be|cost)|(?:was|were)[ ](?:previously|formerly|originally|once)"
        r"|(?:previously|formerly|originally)"
        rf"[ ](?:was|were|cost))(?:[ ](?:about|only|just|an?|the))?[ ]{_MARKS}\Z"
        rf"|\b(?:formerly|once[ ](?:was|were|cost))[ ]{_MARKS}\Z|{_CHANGED}{_MARKS}\Z"
        rf"|(?:(?:[,–—-][ ]|\(|\d[ ]|\b(?:is|are|now|year|euros?|dollars?)[ ])(?:up|down)[ ]from|\bcompared[ ](?:to"
        rf"|with)|{_COMPARED})(?:[ ]only)?[ ]{_MARKS}\Z"
        r"|(?:\b(?:is|are|now|today|costs?|pays?|comes[ ]to|takes?|kostet|coûte|cuesta|costa)|'s)(?!\w)[^.!?;\n]{0,30}"
        rf"\d(?:.{{0,40}}(?<!\w)(?:{_IN_THE_PAST})(?!\w)|.{{0,12}}\b(?:now|today|currently|this[ ]year)\b[;,.])"
        r"[^.!?;\n]{0,25}(?<!\w)(?:was|were|cost|had[ ]been|war|waren|kostete|était|coûtait|era|erano?"
        rf"|costaba|costava)(?:[ ](?:about|only|just|still|es|sie|noch))?[ ]{_MARKS}\Z",
        hint="used|previously|formerly|originally|once|from|compared|last|before|earlier|past|ago|until|now|today"
        "|currently|this[ ]year|letzte|bisher|derni|avant|pasado|antes|scorso|prima|vorig|vroeger|vergl|frente|rispetto"
        "|vergel",
    ),
    IgnoringCase(
        r"(?:[ ]\w{1,12})?(?:[ ]used[ ]to[ ](?:be|cost)\b|,?[ ]but[ ]not[ ]any[ ]?more\b|[ ](?:was|were)[ ](?:correct"
        r"|right|true|the[ ]price)[ ](?:last|until|before)|[ ]until[ ]\w+[;,.][ ](?:but[ ])?(?:now|today))"
    ),
)
_DIFFERENCE = (
    IgnoringCase(rf"\b(?:off|wrong|out)[ ]by(?:[ ](?:about|exactly|only|just))?[ ]{_MARKS}\Z"),
    IgnoringCase(
        r"[*_$)]{0,4}(?:(?:[ ]\w{1,12})?[ ](?:short|shy)[ ]of\b"
        r"|(?:[ ](?:is|was|are|would[ ]be))?(?:[ ](?:far|much|way|a[ ]bit))?"
        r"[ ]too[ ](?:low|high|much|many|little|few|small|large|big)\b)"
    ),
)
FORMERLY = "is what it was before"
_STRUCK = (
    IgnoringCase(r"(?:(?<![\w*_$).%])~~|(?:(?<=[ \n(]\*\*)|(?<=\A\*\*))~~|<(?:s|del|strike)>)[*_\\$]{0,4}\Z"),
    _NEVER,
)
_OBJECTIONS = (
    (_STRUCK, "is struck out"),
    (_DENIED, "is denied: the answer says that it is not that"),
    (_DENIED_ELSEWHERE, "is denied: the answer says that it is not that"),
    (_OPEN, "is left open: the answer asks or supposes it, or has it as an example"),
    (_BOUND, "is only a bound"),
    (_BOUND_ELSEWHERE, "is only a bound"),
    (_WORKED_ON, "is only part of a sum that isn't worked out"),
    (_FORMER, FORMERLY),
    (_DIFFERENCE, "is only how far off something is"),
)
_SAYS_SOMETHING = re.compile(r"[^\W\d_]|[❌✗✘✖<>≥≤≧≦≠=%÷×*+\\~/]")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,180}>[*_(\\$]{0,4}\Z")
_PLACEHOLDER = re.compile(r"<\Z")
_CLOSED_RANGE = re.compile(
    r"[*_\\]{0,2}(?:[-–—~〜～]|\.{2,3}|…|から|至|到|或|または|또는|에서|とか)[*_\\]{0,2}|[ ]?(?:±|\+/-|\\pm|〜|～"
    r"|~)[ ]?"
)
_WORDED_RANGE = re.compile(
    r"[*_]{0,2}[ ]?[,]?[ ](?:to|or|up[ ]to|bis(?:[ ]zu)?|oder|à|ou|a|al|o|u|até|hasta|oppure|tot|до|или|либо|lub"
    r"|albo|do|veya|ile|ya[ ]da|til|eller|till|से|या|إلى|أو|through|thru|versus|vs\.?)[ ][*_\\$€£]{0,3}",
    re.IGNORECASE,
)
_SPACED_RANGE = re.compile(r"[*_]{0,2}[ ][-–—][ ]?[*_\\]{0,3}")
_BETWEEN = re.compile(
    r"\b(?:between|zwischen|entre|tra|fra|tussen|między|między|mellan|mellem|между)[ ][*_(\\~≈]{0,4}\Z", re.IGNORECASE
)
_AND = re.compile(r"[*_]{0,2}[ ](?:and|und|et|y|e|en|i|och|og|и)[ ][*_\\]{0,3}", re.IGNORECASE)
_CONTRAST = re.compile(
    r"[*_)]{0,3}(?:[ ][^\W\d_]{1,12}){0,2}[ ]?[,;(–—-]{0,2}[ ]?(?:(?:and|but|und|et|y|e|en|и|а)[ ])?"
    r"(?:(?:not|rather[ ]than|instead[ ]of)\b[^.!?\n]{0,40}"
    r"|(?:nicht|statt|pas|au[ ]lieu[ ]de|plutôt[ ]que|não|em[ ]vez[ ]de|non|invece[ ]di|niet|nie|ikke|inte|не|вместо"
    r"|en[ ]lugar[ ]de|(?<=[,;(–—-][ ])no|(?<=[,;(–—-])no|(?<=[ ]y[ ])no)[ ][^\w\n]{0,6})",
    re.IGNORECASE,
)


def objection(text: str, start: int, end: int, unit_end: int) -> str:
    """Why the number there is not given as the answer, as the end of "39.25 ..."; "" if nothing says so.

    `unit_end` is where the unit beside it ends.
    """
    before = text[max(0, start - _REACH) : start]
    if not _SAYS_SOMETHING.search(before):
        before = ""  # saves most of the time on long tables
    for (ahead, behind), reason in _OBJECTIONS:
        if (
            behind.match(text, end)
            or (unit_end > end and behind.match(text, unit_end))
            or (ahead.search(before) and not (ahead is _BOUND[0] and _is_in_tag(text, start, end)))
        ):
            return reason
    if _FACTOR.search(before) and not _RESULT_FOLLOWS.match(text, end):
        return "is only part of a sum that isn't worked out"
    return ""


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether what stands there is said not to be so: "it isn't 39.25", "no longer 4 March"."""
    before = text[max(0, start - _REACH) : start]
    return any(
        behind.match(text, end) is not None or ahead.search(before) is not None
        for ahead, behind in (_DENIED, _DENIED_ELSEWHERE)
    )


_TEXT_DENIED = (
    IgnoringCase(
        r"(?:(?<!\w)(?:(?<!why )not(?! only| just| surprisingly)|never|cannot|neither|nor|none|except|unlikely|hardly"
        r"|unable to|fail(?:s|ed)? to|without(?! (?:a |any )?(?:doubt|question))"
        r"|instead of|anything but|any \w{1,20} but|all but|far from"
        r"|(?:other|rather) than|(?<!no )(?<!out )(?<!a )(?<!any )(?<!beyond )doubt|nicht(?! nur)|kein\w{0,2}|weder"
        r"|statt|außer|ohne(?! zweifel)|pas(?! seulement)|jamais|ni|sauf|nunca|tampoco|salvo|excepto|não|nem"
        r"|non(?! solo)|né|niet(?! alleen)|geen|noch|nooit|ikke|inte|nie|не|нет|ни|кроме|вместо|ليس|ليست|tidak|bukan"
        r"|no(?= (?:es|son|está|fue|era|longer|way)\b))(?!\w)|n't(?! just| only)\b|[≠]|!=|不是|并非|並非|而非|不在)"
        r"(?:(?!(?<!\w)(?:but|so|thus|hence|therefore|because|since|instead(?! of)|aber|sondern|mais|sino|ma|maar|но"
        r"|although|though|while|y es|e è|and it(?:'s| is))(?!\w)| [-→] )[^.,;:!?。，；：！？\n]){0,45}\Z"
        r"|(?<!\w)(?:neither|none of|weder)(?!\w)[^.;:!?]{0,60}\Z"
    ),
    IgnoringCase(
        r"[\"'*_)\]]{0,3}(?: (?:is|was|are|were|would be)(?:n't| not| never| no longer)(?! only| just)"
        r"(?: (?:the(?! only)|an?|it|correct|right|one|true|valid|what|where|which|in|part|acceptable)\b|[.!,;]|\Z)"
        r"| (?:is|was|are|were|would be)(?: \w{1,12}ly)? (?:wrong|incorrect|false|mistaken|out|excluded)(?!\w)"
        r"| ?[:=] ?(?:no|false|nein|non)(?!\w)|,? which (?:is|was) (?:wrong|incorrect|false|mistaken)\b"
        r"| ist (?:es|das) nicht(?!\w)| n'est pas(?!\w)| no (?:es|era|fue)(?!\w)| não é(?!\w)| non è(?!\w))"
    ),
)
_AND_IN_A_LIST = re.compile(
    r"[\"'*_)\]]{0,3},? (?:or|and|nor|oder|und|noch|ou|et|ni|y|o|u|e|né|of|en|или|и|ни)(?: (?:even|the|in|a|at))? "
    r"[\"'*_(]{0,3}|、",
    re.IGNORECASE,
)
_COMMA_IN_A_LIST = re.compile(r"[\"'*_)\]]{0,3}, [\"'*_(]{0,3}")
_NEITHER = re.compile(r"(?<!\w)(?:neither|none of|weder|ni|né|nem)(?!\w)", re.IGNORECASE)
_TEXT_REACH = 80


def is_asked(text: str, end: int) -> bool:
    """Whether a question ends there, or soon: "Is it Paris?"."""
    return _OPEN[1].match(text, end) is not None


_SUPPOSED = IgnoringCase(
    r"(?<!\w)(?:if|whether|suppose|supposing|unless|once|falls|ob|maybe|perhaps|possibly|might|(?:may|could) be|such as"
    rf"|for example,?|e\.g\.|{_GUESSED}) [^.!?,;:\n]{{0,30}}\Z"
)


def is_supposed(text: str, start: int) -> bool:
    """Whether what stands there is only supposed: "if it is Paris", "perhaps Paris", "such as Paris"."""
    return _SUPPOSED.search(text[max(0, start - _REACH) : start]) is not None


def is_text_denied(text: str, start: int, end: int, *, floor: int, list_is_denied: bool) -> bool:
    """Whether the words there are denied: "not Paris", "Paris is wrong".

    Back to `floor` no other of the texts stands that are looked for; where it is in one list with the one before it,
    it is denied as that is: "neither Paris nor Rome".
    """
    if list_is_denied and (
        _AND_IN_A_LIST.fullmatch(text, floor, start)
        or (
            _COMMA_IN_A_LIST.fullmatch(text, floor, start) and _NEITHER.search(text, max(0, floor - _TEXT_REACH), floor)
        )
    ):
        return True
    if _TEXT_DENIED[1].match(text, end) or _DENIED_ELSEWHERE[1].match(text, end):
        return True
    before = text[max(floor, start - _TEXT_REACH) : start]
    return _TEXT_DENIED[0].search(before) is not None


def _is_in_tag(text: str, start: int, end: int) -> bool:
    """Whether the < or > before the number is no sign: `<b>39.25`, `<39.25>`."""
    if _PLACEHOLDER.search(text[max(0, start - 1) : start]):
        return text[end : end + 1] == ">"
    return _TAG.search(text[max(0, start - _TAG_REACH) : start]) is not None


def is_contrast(text: str, end: int, start: int) -> bool:
    """Whether the number at `start` is denied only to set off the one that ends at `end` ("40, not 39.25")."""
    return start - end <= _REACH and _CONTRAST.fullmatch(text, end, start) is not None


def is_range(text: str, *, first: tuple[int, int], second: tuple[int, int], alike: bool) -> bool:
    """Whether two numbers, each with its start and end, are the ends of one range ("39-40", "39 or 40").

    `alike`: they are written with as many decimals. A dash between spaces separates those that aren't
    ("2 - 47.50" is a quantity and a price).
    """
    gap = first[1], second[0]
    if gap[1] - gap[0] > 12:
        return False
    if _CLOSED_RANGE.fullmatch(text, *gap):
        return True
    if _WORDED_RANGE.fullmatch(text, *gap):
        return _FORMER[0].search(text[max(0, first[0] - _REACH) : first[0]]) is None
    if _AND.fullmatch(text, *gap):
        return _BETWEEN.search(text[max(0, first[0] - 16) : first[0]]) is not None
    return alike and _SPACED_RANGE.fullmatch(text, *gap) is not None
