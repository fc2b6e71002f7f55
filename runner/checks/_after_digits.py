"""What stands directly after a numeral: powers, multipliers, percent, currencies, units."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal

from runner.checks._before_digits import Before, country_currency
from runner.checks._units import (
    CASED,
    CURRENCIES,
    DOLLARS,
    LETTER,
    MONEY_AFTER,
    SPACELESS,
    currency_codes,
    dimensions,
    leading_multiplier,
    multiplier,
    reconcile,
    short_multiplier,
    unit_name,
)

VULGAR = "¼½¾⅐-⅞"
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_FROM_SUPERSCRIPT = str.maketrans(SUPERSCRIPTS, "0123456789+-")
_SPACE = "[ \u00a0]"
_COUNTRY_AFTER = re.compile(r"[ ](?P<word>[A-Za-zéñ]{2,12})(?!\w)")
_MIXED = re.compile(
    rf"{_SPACE}?(?P<vulgar>[{VULGAR}])|[ ](?P<over>\d{{1,3}})/(?P<under>\d{{1,3}})(?![\w/]|[.,]\d)"
    rf"|(?P<unsure>(?:-|[ ](?:and|und|et|y|e|i|и|plus|&|\+)[ ])(?:\d{{1,3}}/\d{{1,3}}(?![\w/])|[{VULGAR}]"
    rf"|\d{{1,3}}[ ](?:half|halves|thirds?|quarters?|fifths?|eighths?)\b))"
)
_FRACTION = re.compile(r"[ ]?/[ ]?(?P<under>\d{1,9})(?![\w/]|[.,]\d)")
_SPELLED_FRACTION = re.compile(
    r"[ -](?P<under>hal(?:f|ves)|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?"
    r"|hundredths?|thousandths?|millionths?"
    r"|[dD]rittel|[vV]iertel|[fF]ünftel|[sS]echstel|[aA]chtel|[zZ]ehntel|tiers|cinquièmes?|tercios?"
    r"|(?<=\b[123][ -])quarts?(?![ ]of\b)|cuartos?|quintos?|terços?|terzi|трети|четверти"
    r"|分の\d+|분의)(?!\w)|/(?P<short>\d{1,3})(?:rds?|ths?|nds?)(?!\w)|(?:分之|分の|분의)\d"
)
_EXPONENT = re.compile(r"[eE](?P<power>[-+]?\d\d?)(?!\w|[.,]\d)")
_TEN_TO_THE = re.compile(
    r"[ ]?(?:[×x*·⋅∙✕]|\\times|\\cdot)[ ]?10"
    r"(?:[ ]?(?:\^|\*\*)[ ]?[({]?[ ]?(?P<power>[-+]?\d\d?)[ ]?[)}]?"
    r"|(?P<raised>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,2}))(?![\w⁰¹²³⁴⁵⁶⁷⁸⁹])"
)
_POWER = re.compile(
    rf"[ ]?\^\{{?[-+\w]{{0,20}}\}}?|[{SUPERSCRIPTS}]{{1,20}}|\*\*\d{{1,20}}|[₀-₉]{{1,4}}|(?:!|‼)(?!\s|\Z|[*_)!?])"
)
_DEGREE = re.compile(r"\^\{?\\circ")
_ONE_RAISED = re.compile(rf"¹(?![{SUPERSCRIPTS}])")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)", re.IGNORECASE)
_LATEX = r"(?:\\[,;: ]|~)?(?:\\text(?:rm|bf|it)?\{[ ]?|\\math(?:rm|bf|it)\{[ ]?|\\[,;: ]|~)?"
_GAP = rf"(?:[*_`]{{0,3}}(?:</[a-z]{{1,6}}>)?[ \u00a0\t]{{0,3}}-?[*_`]{{0,3}}(?:<[a-z]{{1,6}}>)?{_LATEX})"
"""What may stand between a number and its word: spaces, a hyphen, emphasis that ends or begins."""
_WORD = re.compile(rf"(?P<gap>{_GAP})(?P<word>{LETTER}{{1,40}}[€$]?(?:\.(?=[ \u00a0,;)€$£]))?)")
_WRAPPED_WORD = re.compile(rf"[ ]?\n(?P<gap>[ ]?)(?P<word>{LETTER}{{4,40}})")
_BRACKETED_WORD = re.compile(rf"[ ]?[(\[](?:in[ ])?(?P<word>{LETTER}{{2,40}}\.?)[ )\]]")
_DE = re.compile(r"[ ](?:de|d')[ ]?(?=\w)")
_DE_MULTIPLIED = re.compile(r"[ ]de[ ](?:mii|milioane|miliarde|sute)\b")
_PEOPLE = re.compile(
    r"[mMbB][ ](?:people|users|customers|subscribers|downloads|views|units|inhabitants|residents|visitors|jobs|homes)\b"
)
_CONSTANT = re.compile(r"[ ]?\\?(?:pi|tau)\b|[ ]?[πτ]")
_EMPTY_CENTS = re.compile(rf"[.,](?:[-–—]{{1,2}}|=)(?=[ ]?(?:{MONEY_AFTER}|[\s.,;)*|]|\Z))")
_CENTS = re.compile(r"(?P<sign>[€$£¥₹₽₺₪])(?P<cents>\d+)(?![\d])(?P<more>[.,]\d)?")
_PERCENT = re.compile(
    rf"{_GAP}(?:\\?(?P<sign>[%‰‱])|(?P<percent>per[ ]?cent|pour[ ]cent|por[ ]cien(?:to)?|por[ ]cento|per[ ]cento"
    rf"|τοις[ ]εκατό|phần[ ]trăm)(?!\w)"
    r"|(?P<mille>per[ ]mille?|pour[ ]mille|por[ ]mil)(?!\w))",
    re.IGNORECASE,
)
_POINTS = re.compile(
    rf"{_GAP}(?:(?:%|percent(?:age)?|pct\.?|per[ ]cent|Prozent|procent)[ -]?(?:points?|pt|pts|[pP](?!\w)"
    rf"|punkte?n?|enheter?|point)"
    rf"|points?[ ]de[ ](?:pourcentage|%)|p(?:u|o)n?t[oi]s?[ ]"
    r"(?:porcentuale?s?|percentua\w+)|процентн\w+[ ]пункт\w*|п\.[ ]?п\.|punkt\w*[ ]procentow\w*|(?:pp|bps?"
    r"|bp)(?!\w)|basis[ ]points?|Basispunkte?n?|个百分点|個百分點"
    r"|百分点|パーセントポイント|ポイント|%포인트|퍼센트포인트)",
    re.IGNORECASE,
)
_CURRENCY = re.compile(rf"{_GAP}\(?\\?(?P<currency>{MONEY_AFTER})(?![{CASED}]|[ ]?\d)(?P<close>\)?)")
_CODE = re.compile(rf"{_GAP}\(?(?P<currency>[A-Z]{{3}})(?!\w)\)?")
_TRAILING_MINUS = re.compile(rf"-(?=[ ]*(?:\Z|[\n|)\]}},;:*]|\.(?!\d)|(?:{MONEY_AFTER})(?!\w)))")
_UNIT = re.compile(
    rf"(?P<gap>{_GAP})(?:(?P<kind>business|working|calendar|consecutive|full|whole)[ ](?={LETTER}{{3}}))?"
    rf"(?P<unit>(?:(?:square|cubic|sq\.?|cu\.?|nautical|fluid|fl\.?|light|metric|troy|Quadrat"
    rf"|Kubik)[ ])?{LETTER}{{1,40}}|°[CFK]?|[℃℉])"
    r"(?P<raised>[²³]|\^\{?[23]\}?|(?<=m)[23](?![\w.,]\d|\w)|\\textsuperscript\{[23]\})?"
)
_PER = re.compile(
    rf"(?:(?P<slash>[ ]?/[ ]?)(?P<of>\d{{1,6}}[ ]?)?|[ ](?:per|pro|par|je|p\.)[ ](?P<of_more>\d{{1,6}}[ ]?)?"
    r"|[ ](?:in[ ]der|la)[ ](?=Stunde|Sekunde|Woche|oră)|每|[ ·⋅](?=[hs](?:⁻¹|\^\{?-1))"
    r"|[ ](?:(?:por|an?|each|every|в|на|al?|ao|à|na|za|om|im)[ ]|(?:all'|à[ ]l')))"
    rf"(?P<unit>(?:(?:square|cubic|sq)[ ])?{LETTER}{{1,30}}[²³]?)"
)
_COUNTERS = re.compile(
    "(?:千瓦时|千瓦|千卡|千焦|千帕|千赫|千字节|兆字节|兆瓦|兆赫|兆帕|百帕|個月|个月|か月|ヶ月|カ月|箇月|週間|时间|時間|小時|小时|分钟|分鐘|分間|秒钟|秒間|日間|年間|天|周|週|年|月|日"
    "|号|时|時|分|秒|点|點|岁|歳|歲|才|人|名|位|口|個|个|箇|件|份|只"
    "|隻|匹|頭|头|条|條|本|冊|册|张|張|枚|台|臺|辆|輛|架|艘|双|雙|对|對|套|组|組|次|回|度|倍|层|層|階|阶|楼|间|間|家"
    "|所|户|戶|棵|朵|颗|顆|粒|片|块|塊|包|袋|盒|箱|瓶|杯|碗"
    "|盘|盤|桶|罐|支|枝|根|把|束|串|页|頁|篇|章|节|節|行|字|句|题|題|门|門|科|班|站|级|級|等|分|斤|公斤|千克|克|毫克"
    "|吨|噸|公里|千米|米|厘米|毫米|公尺|公分|英里|英尺|英寸|里|丈"
    "|尺|寸|升|毫升|公升|平方米|平方公尺|立方米|平米|坪|畳|票|キロ|キログラム|グラム|メートル|センチ|ミリ|リットル"
    "|トン|パーセント|ポイント|ページ|セット|パック|ケース|か所|カ所|ヶ所|つ|人前|泊"
    "|着|足|杯|皿|切れ|口"
    "|개월|개|명|분|살|세|마리|권|장|대|번|시간|시|초|년|월|일|주|원|킬로|킬로그램|그램|미터|센티미터|킬로미터|리터"
    "|톤|평|층|잔|병|봉지|상자|송이|그루|켤레|쌍|벌|자루|채|척|곳|가지"
    "|배|점|회|건|인분|인"
    "|คน|ตัว|ชิ้น|อัน|เล่ม|วัน|เดือน|ปี|ชั่วโมง|นาที|กิโลเมตร|กิโลกรัม|เมตร|ลิตร|ใบ|ฟอง|ลูก|คัน|หลัง|ครั้ง|บาท)"
)
_AFTER_COUNTERS = re.compile(
    "(?:です|でした|である|であり|だ|になります|となります|になる|となる|を|が|は|も|と|で|に|の|へ|から|まで|より"
    "|ほど|くらい|ぐらい|程度|か|ね|よ|し|ずつ|分"
    "|입니다|이에요|예요|이다|입니까|이며|이고|이|가|은|는|을|를|의|에|로|으로|와|과|도|만|씩|까지|부터|정도|쯤|짜리"
    "|이라고|라고"
    "|了|的|呢|吧|啊|吗|嗎|是|和|与|及|、|左右|元|钱|ครับ|ค่ะ|คะ|นะ)"
)
_HALF = re.compile("[ ]?[半반]")
_JOINED = re.compile(rf"{LETTER}|[°′″©®™_@#µ$€£¥₹]")


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The value is (numeral / `under` + `plus`) * `factor`; `end` is where the last sign or word of it ends.

    `unit_end` is where the unit ends that stands beside it, `dimensions` what that may measure.
    """

    end: int
    under: int = 1
    plus: Decimal = Decimal(0)
    factor: Decimal = Decimal(1)
    is_percent: bool = False
    is_negative: bool = False
    units: frozenset[str] = frozenset()
    unit_end: int = 0
    dimensions: frozenset[str] = frozenset()
    problem: str = ""


def read_after(text: str, end: int, *, is_plain: bool, before: Before) -> After | None:
    """What belongs to the numeral that ends at `end`; None for an ordinal. `is_plain`: it has digits only."""
    after = After(end=end, unit_end=end, is_percent=before.is_percent)
    if end == len(text):
        return _with_currency(after, before, "")
    if is_plain and _ORDINAL.match(text, end):
        return None
    if is_plain:
        after = _read_fraction(text, after, may_be_ratio=not before.currency)
    after = _read_power(text, after, is_money=bool(before.currency))
    after = _read_cents(text, after, before) if is_plain else after
    after = _read_multipliers(text, after, is_money=bool(before.currency))
    after = _read_bracketed_multiplier(text, after)
    if _DE_MULTIPLIED.match(text, after.end) or _PEOPLE.match(text, after.end) or _CONSTANT.match(text, after.end):
        after = _with_problem(after, "may be multiplied by what stands behind it")
    if not before.is_negative and (minus := _TRAILING_MINUS.match(text, after.end)):
        after = replace(after, end=minus.end(), is_negative=True)
    return _read_units(text, after, before)


def _with_problem(after: After, problem: str) -> After:
    return replace(after, problem=after.problem or problem)


def _read_fraction(text: str, after: After, *, may_be_ratio: bool) -> After:
    if mixed := _MIXED.match(text, after.end):
        if mixed["unsure"]:
            return replace(after, end=mixed.end(), problem="may be the whole part of a mixed number")
        if mixed["vulgar"]:
            return replace(after, end=mixed.end(), plus=vulgar_value(mixed["vulgar"]))
        if int(mixed["over"]) < int(mixed["under"]):
            return replace(after, end=mixed.end(), plus=Decimal(mixed["over"]) / int(mixed["under"]))
    ratio = _FRACTION.match(text, after.end) if may_be_ratio else None
    if ratio and int(ratio["under"]):
        return replace(after, end=ratio.end(), under=int(ratio["under"]))
    if may_be_ratio and (spelled := _SPELLED_FRACTION.match(text, after.end)):
        return replace(after, end=spelled.end(), problem="is only the upper part of a fraction")
    return after


def _read_power(text: str, after: After, *, is_money: bool) -> After:
    if exponent := _EXPONENT.match(text, after.end):
        return replace(after, end=exponent.end(), factor=Decimal(1).scaleb(int(exponent["power"])))
    if ten := _TEN_TO_THE.match(text, after.end):
        zeros = int(ten["power"] or ten["raised"].translate(_FROM_SUPERSCRIPT))
        return replace(after, end=ten.end(), factor=Decimal(1).scaleb(zeros))
    power = None if _DEGREE.match(text, after.end) else _POWER.match(text, after.end)
    # An amount of money has a footnote there, no power; to the power of one it stays what it is.
    is_note = power and (is_money or _ONE_RAISED.match(text, after.end) or _CURRENCY.match(text, power.end()))
    if power and is_note and text[after.end] in SUPERSCRIPTS:
        return replace(after, end=power.end())
    if power:
        return replace(after, end=power.end(), problem="is raised to a power")
    return after


def _read_cents(text: str, after: After, before: Before) -> After:
    """The 50 of 12€50."""
    cents = _CENTS.match(text, after.end)
    if not cents or after.under != 1 or after.problem:
        return after
    units = reconcile(before.currency or unit_name(cents["sign"]), unit_name(cents["sign"]))
    if len(cents["cents"]) != 2 or cents["more"] or units is None:
        return replace(after, end=cents.end(), problem="is joined to other digits")
    return replace(after, end=cents.end(), plus=Decimal(cents["cents"]).scaleb(-2), units=units)


def _read_multipliers(text: str, after: After, *, is_money: bool) -> After:
    for _ in range(4):
        word = _WORD.match(text, after.end) or _WRAPPED_WORD.match(text, after.end)
        if not word or after.problem:
            break
        found = _read_multiplier(text, word, is_money=is_money, is_further=after.factor != 1)
        if found is None:
            break
        end, factor = found
        if isinstance(factor, str):
            return replace(after, problem=factor)
        after = replace(after, end=end, factor=after.factor * factor)
        if (linked := _DE.match(text, after.end)) and (then := _WORD.match(text, linked.end())) and not then["gap"]:
            further = multiplier(then["word"], _around(text, then))
            if isinstance(further, Decimal):
                after = replace(after, end=then.end(), factor=after.factor * further)
    return after


def _read_bracketed_multiplier(text: str, after: After) -> After:
    """12 (million) may be twelve, and twelve million."""
    word = _BRACKETED_WORD.match(text, after.end)
    is_one = word is not None and isinstance(multiplier(word["word"], ""), Decimal)
    return _with_problem(after, "may be multiplied by the word in brackets") if is_one else after


_JOINED_MONEY = re.compile(r"([kKTtMme]|[Mm]d)(?:EUR|USD|CHF|GBP|SEK|NOK|DKK|PLN|CZK|RON|kr|Ft)")


def _read_multiplier(
    text: str, found: re.Match[str], *, is_money: bool, is_further: bool
) -> tuple[int, Decimal | str] | None:
    word = found["word"]
    if SPACELESS.match(word):
        leading = leading_multiplier(word)
        return (found.start("word") + len(leading[0]), leading[1]) if leading else None
    bare = word.rstrip(".€$")
    if bare == "M" and text.startswith("&M", found.end("word")):
        return None  # the sweets
    if bare in ("cent", "cents") and text.startswith(" mille", found.end("word")):
        return found.end("word"), "may be multiplied by the words after it"
    end = found.end("word") - (1 if word[-1] in "€$" else 0)
    if word.lower() == "miles" and not text.startswith(" de ", found.end()):
        return None
    if len(bare) <= 3:
        is_joined = not set(found["gap"]) & _APART
        money_follows = word[-1] in "€$" or _CURRENCY.match(text, end) is not None or _money_word(text, end)
        factor = short_multiplier(bare, is_joined=is_joined, is_money=is_money or money_follows)
        if factor is not None or (len(bare) < 3 and bare.isascii()):
            return None if factor is None else (end, factor)
    if (money := _JOINED_MONEY.fullmatch(bare)) and not is_further:
        return found.start("word") + len(money[1]), Decimal(1).scaleb({"m": 6, "md": 9}.get(money[1].lower(), 3))
    factor = multiplier(word, _around(text, found))
    if word.endswith(".") and factor is None:
        factor = multiplier(bare, _around(text, found))
    return None if factor is None else (end, factor)


def _money_word(text: str, end: int) -> bool:
    word = _WORD.match(text, end)
    return word is not None and unit_name(word["word"]) in CURRENCIES


_APART = frozenset(" \u00a0\t-\\~")


def _around(text: str, found: re.Match[str]) -> str:
    return f"{text[max(0, found.start() - 60) : found.start()]} | {text[found.end() : found.end() + 40]}"


def _with_currency(after: After, before: Before, behind: str) -> After:
    names = {before.currency, behind} - {""}
    if before.currency and behind:
        agreed = reconcile(before.currency, behind)
        if agreed is None:
            return _with_problem(replace(after, units=frozenset(names)), "names two currencies")
        names = set(agreed)
    return replace(after, units=after.units | names, dimensions=after.dimensions | ({"money"} if names else set()))


def _read_units(text: str, after: After, before: Before) -> After:
    if points := _POINTS.match(text, after.end):
        return replace(
            after, end=points.end(), unit_end=points.end(), units=frozenset({"percentage point"}), is_percent=False
        )
    if percent := _PERCENT.match(text, after.end):
        sign = "‰" if percent["mille"] else percent["sign"] or "%"
        units = frozenset({sign, *([before.currency] if before.currency else [])})
        return replace(after, end=percent.end(), unit_end=percent.end(), is_percent=sign == "%", units=units)
    if empty := _EMPTY_CENTS.match(text, after.end):
        after = replace(after, end=empty.end(), unit_end=empty.end())
    behind, end = _read_currency(text, after, before)
    if behind == "":
        before = replace(before, currency="")
    if behind and before.currency == "usd" != behind and text[end : end + 1] == "$" and text[before.start] == "$":
        before, end = replace(before, currency=""), end + 1
    if behind is not None:
        weight = dimensions(text[after.end : end].strip(" \u00a0*_`")) - {"money"}  # pounds
        after = _with_currency(replace(after, end=end, unit_end=end, dimensions=weight), before, behind)
        return _read_rate(text, after)
    after = _with_currency(after, before, "")
    if before.currency and _PER.match(text, after.end):
        return _read_rate(text, after)
    return _read_rate(text, _read_unit(text, after))


def _read_currency(text: str, after: After, before: Before) -> tuple[str | None, int]:
    """The currency behind a number and where it ends; "" for the $ that closes a formula, None without any."""
    found = _CURRENCY.match(text, after.end)
    if found is None:
        code = _CODE.match(text, after.end)
        found = code if code and code["currency"] in currency_codes() else None
    if found is None:
        return _read_currency_word(text, after, before)
    end = found.end()
    if "(" in found.group() and ")" not in found.group():
        return None, after.end
    if ")" in found.group() and "(" not in found.group():
        end = found.end("currency")
    if before.currency == "usd" and found["currency"] == "$" and text[before.start] in "$-(\\":
        return "", found.end("currency")  # $39.25$ is LaTeX's way to set a formula
    if found["currency"] == "$" and (country := _COUNTRY_AFTER.match(text, end)):
        word = country["word"]
        known = {"CAN": "cad", "HK": "hkd"}
        dollar = word.lower() if word in currency_codes() else known.get(word, country_currency(word))
        if dollar in DOLLARS and word.lower() != "new":
            return dollar, country.end()
    return unit_name(found["currency"]), end


def _read_currency_word(text: str, after: After, before: Before) -> tuple[str | None, int]:
    found = _WORD.match(text, after.end)
    if not found:
        return None, after.end
    word = found["word"]
    if SPACELESS.match(word):
        length = next((n for n in range(min(len(word), 8), 0, -1) if unit_name(word[:n]) in CURRENCIES), 0)
        return (unit_name(word[:length]), found.start("word") + length) if length else (None, after.end)
    if "'" not in word and unit_name(word.rstrip(".")) in CURRENCIES:
        name, end = unit_name(word.rstrip(".")), found.end("word")
        country = _WORD.match(text, end)
        code = country_currency(country["word"]) if country and country["gap"] == " " else ""
        return (code, country.end()) if code and country else (name, end)
    if code := country_currency(word):
        if before.currency == "usd" and word[0].isupper() and code in DOLLARS:
            return code, found.end()
        noun = re.compile(
            r"[ -](?:[A-Z][a-z]{2,8}[ ])?(?:[dD]oll?ar\w*|[Pp]ounds?|[Pp]fund|[Ff]ran\w+|[Pp]esos?|[Kk]r[oó]n\w*|\$"
            r"|[Rr]eais|[Rr]upees?|доллар\w*)"
        ).match(text, found.end())
        if noun:
            return code, noun.end()
    return None, after.end


def _read_unit(text: str, after: After) -> After:
    found = _UNIT.match(text, after.end)
    if found is None:
        joined = _JOINED.match(text, after.end)
        if text[after.end : after.end + 1] in ("'", '"', "′", "″"):
            return _read_feet(text, after)
        unknown = joined and not (
            joined.group() == "_" and not re.match(r"_{1,3}[^\W_]", text[after.end : after.end + 4])
        )
        return _with_problem(after, _joined_to(text, after.end)) if unknown else after
    unit, is_joined = found["unit"], not set(found["gap"]) & _APART
    if SPACELESS.match(unit):
        return _read_counter(text, after, found.start("unit"), is_joined=is_joined)
    raised = (found["raised"] or "").removeprefix("\\textsuperscript").strip("^{}").replace("2", "²").replace("3", "³")
    unit_end = found.end("unit") + len(found["raised"] or "")
    kinds = dimensions(unit) if not raised else frozenset({"area" if raised == "²" else "volume"})
    if len(unit) == 1 and "-" in found["gap"]:
        return _with_problem(after, _joined_to(text, after.end))
    is_measure = kinds and (len(unit) > 1 or unit in "hmsdgltwyHMSDLTWY")  # 5G may be anything
    if is_joined and not is_measure and not unit.startswith("°") and not _is_known_joined(unit):
        return _with_problem(after, _joined_to(text, after.end))
    if text[unit_end : unit_end + 1].isdigit() and (is_joined or "-" in found["gap"]):
        return _with_problem(after, _joined_to(text, after.end))
    if unit in _NO_UNITS:
        return after
    if unit_name(unit) in ("%", "‰"):
        return replace(after, units=frozenset({unit_name(unit)}), is_percent=unit_name(unit) == "%", unit_end=unit_end)
    if (more := _MORE_UNIT.match(text, unit_end)) and kinds and dimensions(more["unit"]):
        return replace(after, units=after.units | {f"{unit_name(unit)}-{unit_name(more['unit'])}"}, unit_end=more.end())
    names = {unit_name(unit) + raised} | ({unit_name(f"{found['kind']} {unit}")} if found["kind"] else set())
    return replace(after, units=after.units | names, unit_end=unit_end, dimensions=after.dimensions | kinds)


_NO_UNITS = frozenset("to with after before for from plus over at on by and und et og och ve и".split())
"""Words behind a number that say nothing of it: "12 million and 5 thousand", "$12 after a $3 discount"."""
_KNOWN_JOINED = frozenset(
    "x kwh wh mwh gwh kw mw gw w kv v mv ma ah mah hz khz mhz ghz px pt em rem dpi fps rpm bpm mph kph kmh"
    " psi bar hpa kpa mpa pa db f c gb mb tb kb pb gib mib kib tib gbps mbps kbps bit bits byte bytes kcal cal kj j"
    " kgs lbs hrs mins secs kms gms mls mol mmol ppm ppb cc ct qt kω mω ω pc pcs stk pkt ea p pm am mal".split()
)


def _is_known_joined(unit: str) -> bool:
    return unit.lower() in _KNOWN_JOINED or unit_name(unit) in CURRENCIES


def _joined_to(text: str, end: int) -> str:
    shown = re.match(r"\S{1,20}", text[end:])
    return f"is joined to '{shown.group() if shown else ''}', so it may be another number"


_MORE_UNIT = re.compile(rf"[-·⋅](?P<unit>{LETTER}{{1,20}})")


def _read_feet(text: str, after: After) -> After:
    """5' is five feet; 5'11" is doubtful, a closing quotation mark is nothing."""
    if re.match(r"['′][ ]?\d", text[after.end : after.end + 3]):
        return _with_problem(after, _joined_to(text, after.end))
    suffix = re.match(rf"'{LETTER}{{1,20}}", text[after.end : after.end + 24])
    if suffix and not re.match(
        r"'(?:s|d[ıiuü]r|t[ıiuü]r|[yn]?[ıiuüaeoö]|l[iı]k|d[ae]n?|t[ae]n?|n[ıi]n|[ıi]n)(?!\w)", suffix.group()
    ):
        return _with_problem(after, _joined_to(text, after.end))
    return after


def _read_counter(text: str, after: After, start: int, *, is_joined: bool) -> After:
    """A unit in a script without spaces; what is joined to the digits and isn't known makes them doubtful."""
    for share in ("퍼센트", "프로", "パーセント", "เปอร์เซ็นต์"):
        if text.startswith(share, start):
            return replace(
                after, units=frozenset({"%"}), is_percent=True, unit_end=start + len(share), end=start + len(share)
            )
    counter = _COUNTERS.match(text, start)
    end = counter.end() if counter else start
    if counter and _HALF.match(text, end):
        return _with_problem(after, "is followed by a half")
    rest = _AFTER_COUNTERS.match(text, end)
    if is_joined and not counter and not rest:
        return _with_problem(after, _joined_to(text, start))
    unit = text[start:end]
    if not unit:
        return after
    return replace(
        after, units=after.units | {unit_name(unit)}, unit_end=end, dimensions=after.dimensions | dimensions(unit)
    )


def _read_rate(text: str, after: After) -> After:
    """With `/h` or `per hour` behind it, a unit is another: km/h is no km. Per person and the like changes nothing."""
    found = _PER.match(text, after.unit_end)
    if found is None or not after.units:
        return after
    noun = found["unit"]
    of = (found["of"] or found["of_more"] or "").strip()
    is_measure = bool(
        of
        or noun.lower() in _KNOWN_JOINED
        or isinstance(multiplier(noun, ""), Decimal)
        or dimensions(noun.rstrip("²³").split()[-1]) - {"money"}
    )
    if not is_measure and not (found["slash"] and after.dimensions and not after.dimensions & {"money"}):
        return after
    units = frozenset(f"{unit}/{of}{unit_name(noun)}" for unit in after.units)
    return replace(after, units=units, unit_end=found.end(), end=found.end() if of else after.end)


def vulgar_value(char: str) -> Decimal:
    """The value of a character such as ½, to 28 digits."""
    value = unicodedata.numeric(char)
    under = next(n for n in range(1, 11) if abs(value * n - round(value * n)) < 1e-9)
    return Decimal(round(value * under)) / under
