"""Words of a text: contractions written out, endings undone, and tables of words by the part that they play."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from runner.server.inference.offline.numbers import words_to_digits

# Words that change what is asked: a calculation never passes over one of them.
CHANGING = frozenset(
    """
    not no never none nobody nothing neither nor without except excluding excludes exclude minus besides apart only
    just alone but however although unless or either instead rather if when while until unlike more less fewer most
    least cheapest cheaper dearest expensive highest lowest biggest smallest larger smaller greater second fourth
    fifth sixth eighth tenth than same equal double twice thrice triple doubled tripled half halves halved third
    quarter quarters already still again yet later earlier before after then first last next previous once another
    other others extra additional rest remaining left remainder some any several few couple couples many myself
    himself herself themselves yourself who whom whose which where why won lost found earned earns earn gave gives
    give given sold sell sells lent lend borrowed borrow returned return refund refunded refunds discount discounted
    coupon voucher deposit rebate cashback credit debt loan interest prepaid advance change includes included
    include including inclusive covers covered cover added subtract subtracted removed remove cancelled canceled
    cancel skipped skip shared sharing treated treats treat free complimentary increased decreased increase decrease
    reduced reduction rose fell grew raised dropped up down off cut back away out tip tips gratuity tax taxes vat
    surcharge fee fees percent percentage average mean budget save saved saving savings owed owes exchange convert
    converted rate profit loss margin ratio probability area perimeter speed hundred thousand million billion k per
    each every apiece always usually maybe perhaps about around approximately roughly almost nearly children child
    kid kids adult adults baby infant senior seniors student students monthly weekly daily yearly annually month
    months year years minimum maximum quantity
    """.split()
)

PERSON = (
    "(?:people|persons?|friends?|guests?|players?|members?|colleagues?|co-?workers?|travell?ers?|passengers?|tourists?"
    "|roommates?|flatmates?|housemates?|teammates?|classmates?|diners?|men|man|women|woman|hikers?|cyclists?|skiers?"
    "|runners?|participants?|heads)"
)
_ONE_PERSON = (
    "friend|wife|husband|partner|girlfriend|boyfriend|sister|brother|mother|father|mom|mum|dad|son|daughter|"
    "colleague|roommate|flatmate|cousin|boss|neighbou?r|spouse|fianc[eé]e?"
)

# Words of which the answer need have none.
_STRUCTURE = frozenset(
    """
    a an the our my your this that these those of in on at to from for with by and as we i us me you it its they he
    she is are was were be been am have has had having do does did should must will would can could shall may might
    need needs please so how much many what when where who whose whom which why there here hi hello
    hey thanks thank ok okay tell know exactly also into any
    """.split()
)

# Words of which one stands for the others.
_SYNONYMS = (
    "leave leaves leaving depart departs departing departure departures dep",
    "arrive arrives arriving arrival arrivals arr",
    "open opens opening",
    "close closes closing",
    "start starts starting begin begins beginning",
    "end ends ending finish finishes finishing",
    "luggage baggage",
    "bag bags",
    "phone telephone tel",
    "wifi wi-fi wlan",
    "email e-mail",
    "checkin check-in",
    "checkout check-out",
)
_SAME = {word: group.split()[0] for group in _SYNONYMS for word in group.split()}

PREPOSITIONS = frozenset("of in on at for from to with by near into towards between until before after".split())
NEGATIONS = frozenset(
    "not no never none nobody nothing neither nor without except excluding unless closed cannot cancelled".split()
)

_CONTRACTIONS = (
    (r"\bwon't\b", "will not"),
    (r"\b(?:can't|cannot)\b", "can not"),
    (r"\bshan't\b", "shall not"),
    (r"n't\b", " not"),
    (r"\b(what|how|who|where|when|that|there|here|it|he|she)'s\b", r"\1 is"),
    (r"\blet's\b", "let us"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"\bi'm\b", "i am"),
    (r"\bw/o\b", "without"),
    (r"\bw/", "with "),
    (r"&", " and "),
    (r"\bhow many (dollars|euros|pounds|yen)\b", "how much"),
)
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def prepare(text: str) -> str:
    """The text with plain quotes, written-out contractions and digits for number words; letters keep their case."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[#~^\x00]", " ", text)  # they mark places in shapes and drafts
    text = re.sub(r"[’‘ʼ]", "'", text).replace("×", " x ").replace("“", '"').replace("”", '"')
    for pattern, plain in _CONTRACTIONS:
        text = re.sub(pattern, plain, text, flags=re.IGNORECASE)
    text = words_to_digits(text)
    text = re.sub(r"(?<![\w.])(\d+)-(?=[a-z])", r"\1 ", text)
    text = re.sub(r"(?<![\w.])(\d+) ?x (?=[a-z])", r"\1 ", text, flags=re.IGNORECASE)
    return _count_companions(text)


def _count_companions(text: str) -> str:
    """ "My wife and I", "me and 3 friends", "both of us" as "2 of us" and its kin."""
    one = rf"my (?:{_ONE_PERSON})"
    two = (
        rf"\b{one} and (?:i|me|myself)\b(?! and)|\b(?:me|i) and {one}\b(?! and)|\b(?:both of us|us both|the 2 of us)\b"
    )
    text = re.sub(two, "2 of us", text, flags=re.IGNORECASE)
    more = r"(?:my )?(\d+) (?:other )?friends"

    def one_more(found: re.Match[str]) -> str:
        return f"{int(found[1] or found[2]) + 1} of us"

    return re.sub(rf"\b{more} and (?:i|me)\b|\b(?:me|i) and {more}\b", one_more, text, flags=re.IGNORECASE)


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """The word without its plural or verb ending, and one word for those that mean the same."""
    word = word.lower()
    if word in _SAME:
        return _SAME[word]
    for ending, rest in (("'s", ""), ("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + rest
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    return _SAME.get(word, word)


@lru_cache(maxsize=16_384)
def root(word: str) -> str:
    """The stem without a verb's ending: "changed", "changing" and "change" have the same."""
    if word.lower() in _SAME:
        return _SAME[word.lower()]
    short = stem(word)
    for ending in ("ing", "ed", "e"):
        if short.endswith(ending) and len(short) > max(5, len(ending) + 3):
            return short[: -len(ending)]
    return short


def is_plural(word: str) -> bool:
    return stem(word) != word.lower() and word.lower().endswith("s")


def read_words(text: str) -> tuple[str, ...]:
    """All words in lower case, digits included, in order."""
    return tuple(_WORD.findall(text.lower()))


def read_roots(text: str) -> frozenset[str]:
    """The roots of all words of a text; parts of hyphenated words too."""
    words = read_words(text)
    return frozenset(root(one) for word in words for one in (word, *(word.split("-") if "-" in word else ())))


def content_roots(text: str) -> tuple[str, ...]:
    """The roots of the words that carry meaning, in order, each once."""
    return tuple(dict.fromkeys(root(word) for word in read_words(text) if word not in _STRUCTURE))


def search_words(text: str) -> str:
    """What to search with: the words that carry meaning, and those that mean the same."""
    found: dict[str, None] = {}
    for word in read_words(text):
        if word not in _STRUCTURE:
            group = next((group for group in _SYNONYMS if word in group.split()), word)
            found.update(dict.fromkeys((word, *group.split())))
    return " ".join(found) or text
