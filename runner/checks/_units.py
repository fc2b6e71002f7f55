"""What a word or sign beside a number says: a currency, a share, a multiplier, a measure; one name for each."""

from __future__ import annotations

import pickle
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

LANGUAGES = (
    "en de fr es pt pt_PT it nl ru pl tr zh zh_Hant ja ko hi ar sv da no fi cs sk hu ro bg uk el he id vi "
    "th fa bn ta te mr ur hr sr sl ca ms gu pa kn ml fil lt lv et is"
).split()
_PARTS = ("compact_decimal_formats", "currency_names", "months", "unit_patterns")
_DIMENSIONS = ("duration", "length", "mass", "volume", "concentr", "area", "speed", "digital", "energy", "power")
_RARE = re.compile(
    r"parsec|furlong|fathom|solar|light|astronomical|earth|dalton|grain|point|item|drop|pinch|jigger|dram|karat|carat"
)
_Told = TypeVar("_Told", int, str)
_DIGITS = re.compile(r"0+")
_INVISIBLE = str.maketrans(dict.fromkeys("\u200e\u200f\u200b'", "") | dict.fromkeys("\u00a0\u202f", " "))


@lru_cache(maxsize=4096)
def comparable(word: str) -> str:
    """The form under which a word is looked up."""
    return unicodedata.normalize("NFC", word).casefold().translate(_INVISIBLE).strip()


@cache
def multipliers() -> Mapping[str, frozenset[int]]:
    """How many zeros a word such as `millionen` or `тыс.` stands for; several where languages differ."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for word, zeros in _compact_words(_AFTER):
        found[word].add(zeros)
    return {word: frozenset(zeros) for word, zeros in found.items()}


@cache
def multipliers_before() -> frozenset[str]:
    """The words that multiply a number which comes after them, as in Swahili."""
    return frozenset(word for word, _ in _compact_words(_BEFORE))


@cache
def months() -> frozenset[str]:
    """The months' full names, in the form that they have alone and in dates."""
    return frozenset(name for _, name, _ in month_names("wide"))


@cache
def short_months() -> frozenset[str]:
    """The months' short names, without a full stop; some are ordinary words of other languages (`out`, `set`)."""
    return frozenset(name.rstrip(".") for _, name, _ in month_names("abbreviated"))


@cache
def measures() -> Mapping[str, frozenset[str]]:
    """What a word may measure, as `duration-hour` or `mass-kilogram`; several where languages differ."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for locale in locales():
        for kind, lengths in locale.get("unit_patterns", {}).items():
            if kind.startswith(_DIMENSIONS) and not _RARE.search(kind):
                for word in _unit_words(lengths):
                    found[word].add(kind)
    return {word: frozenset(kinds) for word, kinds in found.items()}


def _look_up(word: str, table: Mapping[str, frozenset[_Told]]) -> frozenset[_Told]:
    """What a table says of a word, with a full stop or without."""
    return table.get(word) or table.get(word.rstrip(".")) or table.get(f"{word.rstrip('.')}.") or frozenset()


@cache
def currency_codes() -> frozenset[str]:
    """The three capitals of every currency: USD, EUR."""
    return frozenset(locales()[0]["currency_names"])


@cache
def locales() -> tuple[Mapping[str, Any], ...]:
    """The data of the languages looked up, as far as it is about numbers and dates.

    Making sense of it takes a tenth of a second and 20 MB, so it waits for an answer with a word beside a number.
    """
    whole = map(pickle.loads, read_locale_files())
    found = tuple({part: locale[part] for part in _PARTS if part in locale} for locale in whole)
    read_locale_files.cache_clear()
    return found


@cache
def read_locale_files() -> tuple[bytes, ...]:
    """The same as it is in babel's files, for where no file can be opened any more when it is needed."""
    import babel.dates
    import babel.numbers  # noqa: F401 - what stands in the files is made of these
    from babel import localedata

    return tuple(Path(localedata.resolve_locale_filename(language)).read_bytes() for language in LANGUAGES)


_BEFORE, _AFTER = 0, 1


def _compact_words(side: int) -> Iterator[tuple[str, int]]:
    for locale in locales():
        formats = locale.get("compact_decimal_formats", {})
        lengths = (formats[length] for length in ("long", "short") if isinstance(formats.get(length), Mapping))
        for power, pattern in chain.from_iterable(one.items() for length in lengths for one in length.values()):
            written = pattern.pattern.partition(";")[0]
            digits = _DIGITS.search(written)
            zeros = len(power) - len(digits.group()) if digits else 0
            word = comparable((written[: digits.start()], written[digits.end() :])[side]) if digits else ""
            if word and zeros:
                yield word, zeros


def month_names(length: str) -> Iterator[tuple[str, str, int]]:
    """Each month in each language, `wide` or `abbreviated`, with its number."""
    for language, locale in zip(LANGUAGES, locales(), strict=True):
        for use in locale.get("months", {}).values():
            names = use.get(length)
            if isinstance(names, Mapping):
                yield from ((language, comparable(str(name)), int(number)) for number, name in names.items())


def _unit_words(lengths: Mapping[str, Any]) -> Iterator[str]:
    for length in ("long", "short", "narrow"):
        patterns = lengths.get(length)
        if isinstance(patterns, Mapping):
            for plural, pattern in patterns.items():
                before, number, after = pattern.partition("{0}")
                if plural != "per" and number and after.strip() and not before.strip():
                    yield comparable(after)


LETTER = (
    "[^\\x00-@\\[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u060c\u061b\u061f\u066a-\u066d\u0964\u0965"
    "\u0e3f\u1680\u17db\u2000-\u2bff\u3000-\u3004\u3008-\u3030\u303d-\u303f\u30fb\ufdfc\ufe00-\ufe0f\ufe10-\ufe6f"
    "\uff61-\uff65\uffe0-\uffff\U0001f000-\U0001faff]"
)
"""One letter of any script, with the marks that some scripts write above and below, for use in a pattern."""
CASED = "A-Za-z\u00aa\u00ba\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u058f\u10a0-\u10ff\u1e00-\u1fff"
"""Letters of the scripts that have capitals: digits beside them belong to a name. (In 共39元 they don't.)"""
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff]")
"""A letter of a script that puts no spaces between words, or hangs particles on them."""


def _table(text: str) -> dict[str, str]:
    """What each word of a line stands for: the line's first. An underscore is a space."""
    rows = (line.split() for line in text.split("\n") if line.strip())
    return {word.replace("_", " "): meaning for meaning, *words in rows for word in words}


def _words(text: str) -> dict[str, str]:
    """The same of words as they are looked up."""
    return {comparable(word): meaning for word, meaning in _table(text).items()}


def _zeros(text: str) -> dict[str, int]:
    """The same where each line begins with how many zeros its words stand for."""
    return {word: int(zeros) for word, zeros in _table(text).items()}


_SYMBOLS = _table(
    """
    usd $ US$ U$S
    aud A$ AU$
    cad C$ CA$ CAN$ Can$ CDN$
    nzd NZ$
    hkd HK$
    sgd S$ SG$
    twd NT$
    brl R$
    mxn MX$ Mex$
    eur €
    gbp £
    jpy ¥ JP¥
    cny CN¥ RMB
    inr ₹ Rs. Rs MRs
    krw ₩
    rub ₽ руб руб. р. р
    vnd ₫ đ
    ils ₪
    try ₺ TL
    uah ₴ грн грн.
    ngn ₦
    php ₱
    thb ฿
    pen S/ S/.
    kzt ₸
    gel ₾
    btc ₿
    cent ¢ €-Cent €-cent €c
    ghs ₵
    crc ₡
    pyg ₲
    mnt ₮
    lak ₭
    khr ៛
    irr ﷼
    bdt ৳
    myr RM
    idr Rp Rp.
    chf Fr. SFr.
    kr kr kr.
    pln zł
    czk Kč
    huf Ft
    bgn лв лв.
    aed د.إ
    """
)
_CODES = (
    "AED ARS AUD BDT BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR JPY KES KRW LKR MXN MYR "
    "NGN NOK NZD PEN PHP PKR PLN QAR RMB RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
).split()
"""The codes that may be joined to digits; any other one of the world's stands apart from them."""
_CURRENCY_OF = _words(
    """
    usd dollar dollars dólar dólares dolar dolara dolarów dolares dollari dollaro доллар доллара долларов долар
    usd долари доларів buck bucks 美元 美金 ドル 달러 डॉलर دولار دولارات ดอลลาร์ דולר דולרים δολάρια δολάριο ডলার
    eur euro euros eur евро євро avro 欧元 歐元 ユーロ 유로 यूरो يورو ยูโร ευρώ eura eurot eurón ইউরো אירו
    gbp pound pounds quid sterling pfund 英镑 英鎊 ポンド 파운드 पाउंड فунт фунтов
    jpy yen yens jpy 日元 日圓 円 엔 йен иен येन
    cny yuan renminbi rmb 元 块 块钱 人民币 人民幣 위안 юаней юаня юань
    twd 新台币 新台幣 台币 台幣
    hkd 港元 港币 港幣
    krw won wons 원 韩元 ウォン
    inr rupee rupees rupie rupia roupie roupies rupias रुपये रुपए रुपया टका రూపాయలు ரூபாய் রুপি روپے ₹
    chf franc francs franken rappen francos franchi
    rub рубль рубля рублей рубли ruble rubles rubel
    pln złoty złote złotych zloty zlotys
    uah гривня гривні гривень гривна
    try lira liras lirası
    thb บาท baht
    vnd đồng dong
    sek krona kronor
    kr krone kroner kronen
    czk koruna koruny korun
    huf forint
    brl real reais
    mxn peso pesos
    aed درهم dirham dirhams
    sar ريال riyal riyals
    egp جنيه
    ils שקל שקלים shekel shekels
    ron leu lei
    idr rupiah
    myr ringgit
    zar rand
    cent cent cents centime centimes centimo centimos céntimo céntimos centavo centavos centesimi centesimo копеек
    cent копейки копейка копійок grosz grosze groszy kuruş øre öre pence penny pennies paise पैसे 角 分钱 전 セント
    cent 센트 角钱 stotinki haléřů
    """
)
_SHARE_OF = _words(
    """
    % % percent percentage pct prozent percento procent procenta procento prosent prosenttia százalék yüzde процент
    % процента процентов проц відсоток відсотків 퍼센트 프로 パーセント प्रतिशत फीसदी بالمئة بالمائة เปอร์เซ็นต์ persen
    % τοις% fois% posto% porcento pourcent
    ‰ ‰ permille promille permil промилле
    """
)
DOLLARS = frozenset(
    "usd aud cad nzd hkd sgd twd mxn ars cop clp bbd bmd bsd bzd fjd gyd jmd kyd lrd nad srd ttd xcd brl".split()
)
"""The currencies that are called dollar, or have its sign."""
_SAME_SIGN = (
    {"jpy", "cny"},
    {"kr", "sek", "nok", "dkk", "isk", "czk"},
    {"inr", "pkr", "lkr", "npr", "mur"},
    {"gbp", "egp", "lbp"},
)
CURRENCIES = frozenset([*_SYMBOLS.values(), *(code.lower() for code in _CODES), *_CURRENCY_OF.values()])
"""The names of units of money."""

MONEY_PREFIXES = sorted({*_SYMBOLS, *_CODES} - {"р", "đ", "р.", "руб", "лв", "грн"}, key=len, reverse=True)
MONEY_BEFORE = "|".join(map(re.escape, MONEY_PREFIXES))
"""What may stand before an amount, for use in a pattern."""
MONEY_AFTER = "|".join(map(re.escape, sorted({*_SYMBOLS, *_CODES}, key=len, reverse=True)))
"""What may stand right behind an amount, for use in a pattern."""

_ZEROS_OF = _words(
    """
    1 十 십
    2 centaine centaines yüz
    2 hundred hundreds hundert cientos centinaia honderd hundra hundrede сотен сотни сотня setki 百 佰 백 सौ مئة
    2 مائة ร้อย
    3 thousands grand k tausende tausender milliers mille migliaia miles ribuan ألفًا ألفا millares milhar milhares
    3 duizenden hezar ezer tsd tsd. teur t€ t$ тыщ тысячу 千 仟 ألفا الف ngàn
    4 万 萬 myriad myriads
    5 లక్ష లక్షలు லட்சம் ലക്ഷം লক্ষ lakh lakhs lac lacs
    6 মিলিয়ন εκατ. лямов ملیون ملین millions mio mln mn millionen милион миллиону лям juta m€ meur
    7 crore crores
    8 亿 億
    9 بليون milliards mrd mrd. mld mia mia. md mds bn миллиарду tỉ milliarden
    12 تريليون trln трлн
    """
)
"""Those that the locale data lacks: other cases and plurals, and what people say and write for short."""
_TWELVE = (
    "dozen dozens doz dutzend douzaine douzaines docena docenas dúzia dúzias dozzina dozzine dozijn tuzin tuziny "
    "tuzinów дюжина "
    "дюжины дюжин düzine दर्जन ダース 다스 打 dussin dusin tusin tucet tucat"
)
_TIMES = dict.fromkeys(map(comparable, _TWELVE.split()), 12) | {"десяток": 10, "десятка": 10, "десятков": 10}
_UNSURE = frozenset(
    "kharab oku wan crs dz dzn dz. tens kosar косарей косаря лимонов лимона тр т.р т.р. hiljada hiljadu hiljade "
    "tuhansia t.kr t.kr. brd thou ths mil. mill mill. bi tri bln bln. bil bil. cr gross score scores "
    "arab ярд bio. tn 打 mega".split()
)
_OF_THE_SHORT_SCALE = frozenset("billion billions trillion trillions".split())
_ROMANCE = re.compile(
    r"\b(?:d[eo]s?|del|el|la|los|las|es|son|por|en|con|os|as|uma?|em|são|é|euros|dólares|pesos|reais|pess?onas"
    r"|pessoas|mi(?:ll|lh)[oõ]\w+)\b|R\$",
    re.IGNORECASE,
)
_ENGLISH = re.compile(r"\b(?:the|is|are|of|and|you|in|to|was|from|for|about|it)\b", re.IGNORECASE)
_LONG_SCALE = re.compile(
    r"\b(?:d['’]|de|des|du|le|la|les|est|sont|une?|soit|der|die|das|ist|sind|und|oder|kr|er|og|av|på|von|ein|eine"
    r"|beträgt|Euro|Kronen?"
    r"|kroner|cyfra|jest|je|korun|zł\w*)(?!\w)|d['’]"
)
_SHORT_JOINED = _zeros(
    """
    3 k K к К
    6 M mn mln Mio mio
    9 B bn Bn BN Mrd mrd Md Mds
    12 tn Tn
    """
)
_SHORT_OF_MONEY = _SHORT_JOINED | _zeros(
    """
    3 t
    5 L
    6 m mm MM mi
    7 Cr cr
    9 b md mds bi G
    12 T
    """
)
_SHORT_APART = _zeros(
    """
    3 rb mii
    6 mn mln Mio mio jt
    9 bn Bn BN Mrd mrd
    """
)
_MAYBE_SHORT = frozenset("k K к К M B T G MM Mn MN kk KK кк КК mm m b t tn mi bi tri md Md tr nt cr Cr L".split())
_LOOKS_LIKE_A_MULTIPLIER = re.compile(
    r"(?:m|b|tr|k[vw]adr|quadr)i(?:l{1,2}|lh|lj|ly)[ijy]{0,2}(?:[ou]|a(?=[ro]))[aeioujnrdms]\w{0,7}"
    r"|(?:мил|бил|трил)\w{0,4}(?:он|ард|яр|ион)\w{0,4}|(?:тыс|тис|хиљ|хил)\w{0,6}|tau[sz]en\w{0,4}|thousan\w{0,4}"
    r"|hundre\w{0,4}|\w{1,12}illi?ons?|\w{0,6}googol\w{0,5}"
)
_UNSURE_WORD = "may be multiplied by the word after it"


def multiplier(word: str, around: str) -> Decimal | str | None:
    """What a whole word multiplies the number before it by; a text says why that isn't sure.

    `around` is the text on both sides.
    """
    key = comparable(word)
    bare = key.rstrip(".")
    if bare == "mil" and not key.endswith("."):
        sure = _ROMANCE.search(around) and not _ENGLISH.search(around)
        return Decimal(1000) if sure else _UNSURE_WORD
    if (
        bare in _OF_THE_SHORT_SCALE
        and (word[0].isupper() or _LONG_SCALE.search(around))
        and not _ENGLISH.search(around)
    ):
        return Decimal(1).scaleb(9 if bare.startswith("b") else 12) if not _LONG_SCALE.search(around) else _UNSURE_WORD
    return _sure_multiplier(key)


@lru_cache(maxsize=4096)
def _sure_multiplier(key: str) -> Decimal | str | None:
    bare = key.rstrip(".")
    if bare in _UNSURE or key in _UNSURE:
        return _UNSURE_WORD
    if bare in _TIMES:
        return Decimal(_TIMES[bare])
    if bare in _OF_THE_SHORT_SCALE:
        return Decimal(1).scaleb(9 if bare.startswith("b") else 12)
    if (zeros := _ZEROS_OF.get(key, _ZEROS_OF.get(bare))) is not None:
        return Decimal(1).scaleb(int(zeros))
    learned = _look_up(key, multipliers()) if len(bare) > 2 or not bare.isascii() else frozenset[int]()
    if learned:
        return Decimal(1).scaleb(next(iter(learned))) if len(learned) == 1 else _UNSURE_WORD
    looks_like_one = _LOOKS_LIKE_A_MULTIPLIER.fullmatch(_without_accents(bare)) and "naire" not in bare
    return _UNSURE_WORD if looks_like_one and bare not in measures() else None


def short_multiplier(short: str, *, is_joined: bool, is_money: bool) -> Decimal | str | None:
    """The same for the letters that stand for a multiplier: k, M, bn, mn; with money beside them there are more."""
    if zeros := (_SHORT_OF_MONEY if is_money else _SHORT_JOINED if is_joined else _SHORT_APART).get(short):
        return Decimal(1).scaleb(zeros)
    if is_joined and not is_money and short in ("m", "t", "mm", "L", "b", "G"):
        return None
    return _UNSURE_WORD if short in _MAYBE_SHORT and short not in ("m", "t", "mm", "b", "md", "L") else None


_METRIC_PREFIX = re.compile("千[米克瓦卡焦帕赫伏安字]|兆[瓦赫帕焦字比位]|百帕")
"""There 千 and 兆 are a part of the unit, kilo and mega: 12千米 is 12 km."""


def leading_multiplier(run: str) -> tuple[str, Decimal] | None:
    """The multiplier that a run of letters without spaces begins with: 万 in 万円, ล้าน in ล้านบาท."""
    if _METRIC_PREFIX.match(run):
        return None
    for length in range(min(len(run), 8), 0, -1):
        factor = _sure_multiplier(comparable(run[:length]))
        if isinstance(factor, Decimal):
            return run[:length], factor
    return None


def _without_accents(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))


_NAMES = _table(
    """
    kilometer/hour kph kmh
    mile/hour mph
    meter/second mps
    kilogram kilos kilo
    person people persons
    celsius celsius °c
    percentage point pp
    meter m metre metres
    hour h hr hrs
    second s sec secs
    day d days tag tage
    week w
    tonne t
    gram g
    liter l litre litres
    milliliter ml
    kilometer km kilometres kilometre
    millimeter mm
    nanometer nm
    ton ton tons
    byte b
    gigabyte gb
    megabyte mb
    kilobyte kb
    terabyte tb
    megawatt mw
    pint pt
    deciliter dl
    stone st
    inch in
    mile mi
    hectare ha
    minute min mins
    year yr yrs
    fahrenheit °f
    pound lbs lb
    """
)
_PER = re.compile(r"[ ]?/[ ]?|[ ](?:per|pro|par)[ ]")
_SQUARE = re.compile(r"(?:square|sq\.?)[ ]", re.IGNORECASE)
_CUBIC = re.compile(r"(?:cubic|cu\.?)[ ]", re.IGNORECASE)


def unit_name(written: str) -> str:
    """One name for a unit however it is written: `$`, `USD` and `dollars` are `usd`; `km/h` is `km per hour`."""
    plain = written.strip().replace("\\", "")
    return "/".join(_raised_name(part) for part in _PER.split(plain))


def _raised_name(plain: str) -> str:
    """A square metre is `meter²`."""
    for adjective, sign, digits in ((_SQUARE, "²", ("^2", "^{2}", "²")), (_CUBIC, "³", ("^3", "^{3}", "³"))):
        if found := adjective.match(plain):
            return f"{_simple_name(plain[found.end() :])}{sign}"
        if ending := next((one for one in digits if plain.endswith(one)), ""):
            return f"{_simple_name(plain.removesuffix(ending))}{sign}"
    return _simple_name(plain)


@lru_cache(maxsize=4096)
def _simple_name(plain: str) -> str:
    if plain in _SYMBOLS:
        return _SYMBOLS[plain]
    if plain in _SYMBOLS.values():
        return plain
    word = " ".join(comparable(plain).split())
    if word.upper() in _CODES or (plain.isupper() and plain in currency_codes()):
        return {"rmb": "cny"}.get(word, word)
    for names in (_CURRENCY_OF, _SHARE_OF, _NAMES):
        if word in names:
            return names[word]
    kinds = {kind.partition("-")[2] for kind in _look_up(word, measures())}
    if len(kinds) == 1:
        return next(iter(kinds))
    return word[:-1] if len(word) > 3 and word.endswith("s") else word.rstrip(".")


_AGES_AND_MONTHS = frozenset("歳 岁 歲 才 살 세 ヶ月 か月 カ月 箇月 개월 个月 個月".split())


@lru_cache(maxsize=4096)
def dimensions(word: str) -> frozenset[str]:
    """What a word may measure: `duration`, `length`, `mass`, `money` ...; nothing if it is no measure that is known."""
    key = comparable(word)
    if unit_name(word) in CURRENCIES and key not in ("pound", "pounds"):
        return frozenset({"money"})
    found = frozenset(kind.partition("-")[0] for kind in _look_up(key, measures()))
    if key in _AGES_AND_MONTHS:
        return frozenset({"duration"})
    if key in ("pound", "pounds"):
        return frozenset({"money", "mass"})
    return found or (frozenset({"length"}) if key in _NAMES else frozenset())


def reconcile(before: str, after: str) -> frozenset[str] | None:
    """The currency of an amount with one before and one behind it ($12.50 CAD); None if they contradict."""
    if before == after:
        return frozenset({before})
    if before == "usd" and after in DOLLARS:
        return frozenset({after})
    if any(before in sign and after in sign for sign in _SAME_SIGN):
        return frozenset({after})
    return None
