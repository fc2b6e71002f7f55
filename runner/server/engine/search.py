"""Search over the chunks of files in vector stores: by words, and by vectors where the inference has an embedder.

SQLite's FTS5 cuts folded text into stemmed terms and keeps where they occur; ranks are BM25 with the counts of the
stores that are searched, so that what other stores hold changes no answer. Nothing of a query is ever read as FTS5
syntax. Texts and queries are folded alike: what differs in case, accents, width, ligatures or a hyphen at a line's end
is the same; scripts without spaces, and Korean, whose particles cling to their words, are compared by pairs of
characters.
"""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import unicodedata
from array import array
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from pathlib import Path
from typing import Any

import regex

from runner.server.engine.state.store import open_database, transaction
from runner.server.inference import Embedder, EmbeddingFailed, Inference, Passage, Vector

TEXTS_AT_ONCE = 64

_log = logging.getLogger("runner.server")


async def embed_texts(inference: Inference, texts: Sequence[str]) -> tuple[Vector, ...] | None:
    """A vector for each text; None without an embedder, or where it failed."""
    embedder: Embedder | None = getattr(inference, "embedder", None)
    if embedder is None or not texts:
        return None
    vectors: list[Vector] = []
    try:
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            vectors += await embedder.embed(texts[start : start + TEXTS_AT_ONCE])
        if len(vectors) != len(texts):
            raise EmbeddingFailed(f"{len(vectors)} for {len(texts)} texts")
    except EmbeddingFailed as error:
        _log.warning("no embeddings, keywords alone are searched: %s", error)
        return None
    return tuple(vectors)


_VECTOR_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL)",
    """CREATE TRIGGER IF NOT EXISTS vectors_of_chunks AFTER DELETE ON chunks
        BEGIN DELETE FROM vectors WHERE number = old.number; END""",
)

MAX_PRODUCTS = 20_000_000  # numbers that are multiplied for one query: some tenths of a second, to read them
_PLACES = 200
_RANK_OFFSET = 60  # Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion" (2009)


def _multiply(wanted: array[float], vectors: Sequence[bytes]) -> Sequence[float]:
    """The product of one vector with each of the others, which have as many numbers."""
    from simsimd import cdist

    multiply: Any = cdist  # its types know numpy's arrays alone, though every buffer will do
    one = memoryview(wanted).cast("B").cast("f", shape=(1, len(wanted)))
    others = memoryview(b"".join(vectors)).cast("f", shape=(len(vectors), len(wanted)))
    products: Any = memoryview(multiply(one, others, metric="dot")).tolist()
    return tuple(products[0])


def fuse_ranks(keyword_scores: dict[int, float], by_meaning: Sequence[int]) -> dict[int, float]:
    """Scores in 0..1 of all that either search found; 1 is the first place in both."""
    by_keywords = sorted(keyword_scores, key=lambda number: (-keyword_scores[number], number))
    scores: dict[int, float] = {}
    for ranked in (by_keywords, by_meaning):
        for rank, number in enumerate(ranked, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (_RANK_OFFSET + rank)
    best = 2 / (_RANK_OFFSET + 1)
    return {number: score / best for number, score in scores.items()}


def _unit(values: Sequence[float]) -> array[float]:
    length = math.sqrt(sum(value * value for value in values))
    return array("f", (value / length for value in values) if length else values)


_UNSEEN = regex.compile(r"[\p{Cf}\u0640]|[\p{Mn}&&[\p{Script=Arabic}\p{Script=Hebrew}\u064b-\u065f\u0670]]", regex.V1)
_ACCENTS = regex.compile(r"(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{Mn}++")
_RAISED = regex.compile(r"(?<=[0-9])(?=[\u00b2\u00b3\u00b9\u2070-\u209f])")
_LINE_END = regex.compile(r"(?<!\p{L})(\p{L}++)[-\u2010]\n\s*+(\p{Ll}++)")
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}\u30fc]++"
)
_WORD = regex.compile(r"[\w\p{M}]++")


def fold_text(text: str) -> str:
    """A text as it is indexed: a character of a script without spaces is there alone and with the next one."""
    return _UNSPACED.sub(lambda run: f" {' '.join((*run[0], *_pairs(run[0])))} ", _fold(text))


def fold_query(query: str) -> tuple[str, ...]:
    """The words of a query as they are looked up; of scripts without spaces pairs, unless there is one character."""
    folded = _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]) or [run[0]])} ", _fold(query))
    return tuple(_WORD.findall(folded))


def _fold(text: str) -> str:
    joined = _LINE_END.sub(r"\1 \2 \1\2", text.replace("\u00ad\n", "-\n"))
    folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", _RAISED.sub(" ", joined))).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)]


# Vowel signs (Mn, Mc) belong to the words of Hindi, Tamil and others.
_TOKENIZER = "porter unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"
# Named anew when `fold_text` changes: what was indexed has to be forgotten in the same form.
_TERMS = "folded_terms_1"
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS chunks (
        number INTEGER PRIMARY KEY,
        store_id TEXT NOT NULL,
        file_id TEXT NOT NULL,
        filename TEXT NOT NULL,
        position INTEGER NOT NULL,
        words INTEGER NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (store_id, file_id, position)
    )""",
    "CREATE INDEX IF NOT EXISTS chunks_in_store ON chunks(store_id, words)",
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {_TERMS} USING fts5(text, content='', tokenize='{_TOKENIZER}')",
    f"CREATE VIRTUAL TABLE temp.term_counts USING fts5vocab('main', '{_TERMS}', 'row')",
    f"CREATE VIRTUAL TABLE temp.term_places USING fts5vocab('main', '{_TERMS}', 'instance')",
    f"CREATE VIRTUAL TABLE temp.query USING fts5(text, tokenize='{_TOKENIZER}')",
    "CREATE VIRTUAL TABLE temp.query_terms USING fts5vocab('temp', 'query', 'instance')",
)

# Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75

# Makes 0.75 of a chunk of average length that has each of the query's terms once, as in OpenAI's recorded scores.
_STEEPNESS = 3.0

# Terms that most chunks have say little and cost the most: left out, where an index is large enough to be slow.
_LARGE_INDEX_CHUNKS = 500
_COMMON_SHARE = 0.1
_MAX_QUERY_TERMS = 64

_ENDINGS = re.compile(r"(?<=\w)['’](?:s|t|d|m|ll|re|ve)\b", re.IGNORECASE)  # of a possessive, or a short form

# What a question is held together with, in any document: not searched for, unless there is nothing else.
_FILLERS = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have how i if in is it its many me"
    " much my of on or our shall should so than that the their them then there these they this those to us was we were"
    " what when where which who whose why will with would you your".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Corpus:
    """The chunks that are searched: how many, and how long on average."""

    store_ids: tuple[str, ...]
    chunks: int
    mean_words: float


class Index:
    """Chunks in a database file, which may be the server's. Every method blocks; any thread may call."""

    def __init__(self, database: Path) -> None:
        self._lock = threading.Lock()
        self._connection = open_database(database, any_thread=True)
        with ExitStack() as unless_opened:
            unless_opened.callback(self._connection.close)
            self._connection.execute("PRAGMA temp_store=MEMORY")
            self._connection.create_function("fold", 1, fold_text, deterministic=True)
            with transaction(self._connection):
                for statement in (*_SCHEMA, *_VECTOR_SCHEMA):
                    self._connection.execute(statement)
            unless_opened.pop_all()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def put(
        self,
        store_id: str,
        file_id: str,
        filename: str,
        chunks: Sequence[str],
        vectors: Sequence[Vector] | None = None,
    ) -> None:
        """Make `chunks` the file's content in the store, in place of what it had; with a vector for each, or none."""
        with self._lock, transaction(self._connection):
            self._remove("store_id = ? AND file_id = ?", (store_id, file_id))
            for position, (text, vector) in enumerate(zip(chunks, vectors or (None,) * len(chunks), strict=True)):
                terms = fold_text(text)
                row = (store_id, file_id, filename, position, len(terms.split()), text)
                cursor = self._connection.execute(
                    "INSERT INTO chunks (store_id, file_id, filename, position, words, text) VALUES (?, ?, ?, ?, ?, ?)",
                    row,
                )
                self._connection.execute(f"INSERT INTO {_TERMS} (rowid, text) VALUES (?, ?)", (cursor.lastrowid, terms))
                if vector is not None:
                    # As float32, of length 1, so that a product is a cosine.
                    content = _unit(vector.values).tobytes()
                    self._connection.execute(
                        "INSERT INTO vectors (number, model, vector) VALUES (?, ?, ?)",
                        (cursor.lastrowid, vector.model, content),
                    )

    def remove(self, store_id: str, file_id: str) -> None:
        with self._lock, transaction(self._connection):
            self._remove("store_id = ? AND file_id = ?", (store_id, file_id))

    def remove_store(self, store_id: str) -> None:
        with self._lock, transaction(self._connection):
            self._remove("store_id = ?", (store_id,))

    def search(
        self,
        store_ids: Sequence[str],
        query: str,
        limit: int,
        file_ids: Collection[str] | None = None,
        *,
        meaning: Vector | None = None,
    ) -> tuple[Passage, ...]:
        """The passages that have terms of the query, the best first, in an order that is always the same.

        A smaller limit gives the beginning of the same list. What scores mean is told at `_to_scale`. A file that is
        in several of the stores is found once. `file_ids` leaves out all other files, and changes no score. With the
        query's `meaning`, chunks that are near to it are found as well, and a score tells the places in both rankings.
        """
        with self._lock, transaction(self._connection, "BEGIN"):
            corpus = self._measure(tuple(dict.fromkeys(store_ids)))
            terms = self._choose_terms(query) if corpus.chunks else ()
            scores = self._score(corpus, terms)
            if file_ids is not None:
                scores = {one: scores[one] for one in self._numbers(corpus, file_ids) if one in scores}
            # A chunk may be found once in every store.
            wanted = limit * max(1, len(corpus.store_ids))
            if meaning is None:
                scores = {number: _to_scale(score) for number, score in scores.items()}
            else:
                scores = fuse_ranks(scores, self._rank_by_meaning(scores, corpus, file_ids, meaning))
            found = self._fetch(scores, wanted)
        once: dict[tuple[str, str], Passage] = {}
        for passage in found:
            once.setdefault((passage.file_id, passage.text), passage)
        return tuple(once.values())[:limit]

    def _remove(self, condition: str, values: tuple[str, ...]) -> None:
        # FTS5 keeps no text of its own here, so it is told what to forget.
        self._connection.execute(
            f"INSERT INTO {_TERMS} ({_TERMS}, rowid, text)"
            f" SELECT 'delete', number, fold(text) FROM chunks WHERE {condition}",
            values,
        )
        self._connection.execute(f"DELETE FROM chunks WHERE {condition}", values)

    def _measure(self, store_ids: tuple[str, ...]) -> _Corpus:
        chunks, words = self._connection.execute(
            f"SELECT count(*), total(words) FROM chunks WHERE store_id IN ({_marks(store_ids)})", store_ids
        ).fetchone()
        return _Corpus(store_ids=store_ids, chunks=chunks, mean_words=max(1.0, words / max(1, chunks)))

    def _choose_terms(self, query: str) -> tuple[str, ...]:
        """The query's terms, stemmed as the index has them; without very common ones where the index is large."""
        execute = self._connection.execute
        words = fold_query(_ENDINGS.sub("", query))
        telling_words = [word for word in words if word not in _FILLERS]
        execute("DELETE FROM temp.query")
        execute("INSERT INTO temp.query (text) VALUES (?)", (" ".join(telling_words or words),))
        found = execute("SELECT term FROM temp.query_terms ORDER BY offset")
        terms = tuple(dict.fromkeys(term for (term,) in found))[:_MAX_QUERY_TERMS]
        (indexed,) = execute("SELECT count(*) FROM chunks").fetchone()
        if indexed < _LARGE_INDEX_CHUNKS:
            return terms
        counts = dict(execute(f"SELECT term, doc FROM temp.term_counts WHERE term IN ({_marks(terms)})", terms))
        rare = tuple(term for term in terms if counts.get(term, 0) <= indexed * _COMMON_SHARE)
        if counts.keys() & set(rare):
            return rare
        return tuple(sorted(terms, key=lambda term: counts.get(term, math.inf))[:1])

    def _score(self, corpus: _Corpus, terms: tuple[str, ...]) -> dict[int, float]:
        """BM25, as a multiple of what a chunk of average length gets that has each term once."""
        scores: dict[int, float] = {}
        once = 0.0
        for term in terms:
            rows = self._connection.execute(
                "SELECT chunks.number, chunks.words, count(*) FROM temp.term_places AS places"
                " CROSS JOIN chunks ON chunks.number = places.doc"
                f" WHERE places.term = ? AND chunks.store_id IN ({_marks(corpus.store_ids)}) GROUP BY chunks.number",
                (term, *corpus.store_ids),
            ).fetchall()
            # A term that is nowhere weighs as much as one that is in one place: else it would outweigh all others.
            having = max(1, len(rows))
            rarity = math.log(1 + (corpus.chunks - having + 0.5) / (having + 0.5))
            once += rarity
            for number, words, count in rows:
                length = 1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * words / corpus.mean_words
                gain = rarity * count * (_SATURATION + 1) / (count + _SATURATION * length)
                scores[number] = scores.get(number, 0.0) + gain
        return {number: score / once for number, score in scores.items()}

    def _rank_by_meaning(
        self,
        scores: dict[int, float],
        corpus: _Corpus,
        file_ids: Collection[str] | None,
        meaning: Vector,
    ) -> tuple[int, ...]:
        """The chunks that are nearest to the vector, the nearest first, up to a place that says little."""
        most = MAX_PRODUCTS // max(1, len(meaning.values))
        if corpus.chunks > most:
            numbers: Collection[int] = nlargest(most, scores, key=lambda number: scores[number])
        else:
            numbers = self._numbers(corpus, file_ids)
        wanted = _unit(meaning.values)
        rows = self._connection.execute(
            "SELECT number, vector FROM vectors WHERE number IN (SELECT value FROM json_each(?)) AND model = ?"
            " AND length(vector) = ? ORDER BY number",
            (json.dumps(list(numbers)), meaning.model, len(wanted) * wanted.itemsize),
        ).fetchall()
        if not rows:
            return ()
        cosines = zip(_multiply(wanted, [content for _, content in rows]), (-number for number, _ in rows), strict=True)
        return tuple(-number for cosine, number in nlargest(_PLACES, cosines) if cosine > 0)

    def _numbers(self, corpus: _Corpus, file_ids: Collection[str] | None) -> tuple[int, ...]:
        rows = self._connection.execute(
            f"SELECT number FROM chunks WHERE store_id IN ({_marks(corpus.store_ids)})"
            " AND (? IS NULL OR file_id IN (SELECT value FROM json_each(?)))",
            (*corpus.store_ids, *2 * (None if file_ids is None else json.dumps(list(file_ids)),)),
        )
        return tuple(number for (number,) in rows)

    def _fetch(self, scores: dict[int, float], limit: int) -> list[Passage]:
        """The best chunks in their order, which knows all that are as good as the last one."""
        least = min(nlargest(limit, scores.values()), default=0.0)
        rows = self._connection.execute(
            "SELECT filename, position, file_id, number FROM chunks WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps([number for number, score in scores.items() if score >= least]),),
        )
        best = nsmallest(limit, ((-scores[row[-1]], *row) for row in rows))
        return [
            Passage(file_id=file_id, filename=filename, score=-negative, text=self._text(number), position=position)
            for negative, filename, position, file_id, number in best
        ]

    def _text(self, number: int) -> str:
        (text,) = self._connection.execute("SELECT text FROM chunks WHERE number = ?", (number,)).fetchone()
        return str(text)


def _to_scale(multiple: float) -> float:
    """A score in 0..1 of a multiple as `_score` gives it: 0.75 for 1, 0.5 for 0.58, 0.1 for 0.2."""
    weight = _STEEPNESS * multiple**2
    return weight / (weight + 1)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
