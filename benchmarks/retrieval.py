"""How long does a search take, by keywords and by meaning, and a page of a PDF?

Chunks of 400 words and queries of 8 terms, drawn from a vocabulary in which words are as unevenly common as in a
language. The same queries go to a bare `MATCH ... OR ...` ordered by `bm25()`, so that the ratio says what the index
gains (or costs) on this machine. facts/parts.md has p50/p95 in ms of plain OR: 3.6/5.1 for 1,000 chunks, 28/50 for
10,000, 280/476 for 100,000; with common terms dropped: 0.4/1.7, 1.1/9.2, 10/121; and 1.8 ms for a page of a PDF.
`python benchmarks/retrieval.py [CHUNKS ...]`.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fpdf import FPDF

from runner.server.engine.search import Index
from runner.server.extraction import extract_text
from runner.server.inference import Vector

WORDS_PER_CHUNK, TERMS_PER_QUERY, QUERIES, RESULTS = 400, 8, 60, 20
VOCABULARY = 50_000
CHUNKS_PER_FILE = 500
DIMENSIONS, MOST_WITH_VECTORS = 384, 10_000
PAGES = 40


def main() -> None:
    for chunks in [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            measure_search(Path(folder), chunks)
    measure_pages()


def measure_search(folder: Path, chunks: int) -> None:
    source = random.Random(chunks)
    words = [f"w{number}" for number in range(VOCABULARY)]
    weights = [1 / (number + 1) for number in range(VOCABULARY)]
    index = Index(folder / "index.db")
    plain = open_plain(folder / "plain.db")
    with_vectors = chunks <= MOST_WITH_VECTORS
    indexing_s = 0.0
    for file, texts in enumerate(make_files(source, words, weights, chunks)):
        vectors = [make_vector(source) for _ in texts] if with_vectors else None
        started = time.perf_counter()
        index.put("vs", f"file-{file}", f"{file}.txt", texts, vectors)
        indexing_s += time.perf_counter() - started
        plain.executemany("INSERT INTO chunks (text) VALUES (?)", [(text,) for text in texts])
    queries = [" ".join(source.choices(words, weights, k=TERMS_PER_QUERY)) for _ in range(QUERIES)]
    ours = time_each(queries, lambda query: index.search(["vs"], query, RESULTS))
    bare = time_each(queries, lambda query: search_plain(plain, query))
    line = (
        f"{chunks:,} chunks: p50 {ours[0]:.1f} ms, p95 {ours[1]:.1f} ms; plain OR {bare[0]:.1f}, {bare[1]:.1f} ms; "
        f"{ours[0] / bare[0]:.2f} x and {ours[1] / bare[1]:.2f} x plain OR; "
        f"indexed in {indexing_s / chunks * 1000:.2f} ms a chunk"
    )
    if with_vectors:
        meaning = make_vector(source)
        near = time_each(queries, lambda query: index.search(["vs"], query, RESULTS, meaning=meaning))
        line += f"; with {DIMENSIONS}-number vectors p50 {near[0]:.1f} ms, p95 {near[1]:.1f} ms"
    print(line, flush=True)
    index.close()
    plain.close()


def make_files(source: random.Random, words: list[str], weights: list[float], chunks: int) -> Iterator[list[str]]:
    for start in range(0, chunks, CHUNKS_PER_FILE):
        count = min(CHUNKS_PER_FILE, chunks - start)
        drawn = source.choices(words, weights, k=count * WORDS_PER_CHUNK)
        yield [" ".join(drawn[at : at + WORDS_PER_CHUNK]) for at in range(0, len(drawn), WORDS_PER_CHUNK)]


def make_vector(source: random.Random) -> Vector:
    return Vector(model="random", values=tuple(source.random() for _ in range(DIMENSIONS)))


def open_plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("CREATE VIRTUAL TABLE chunks USING fts5(text, tokenize='porter unicode61')")
    return connection


def search_plain(connection: sqlite3.Connection, query: str) -> object:
    terms = " OR ".join(query.split())
    return connection.execute(
        "SELECT text FROM chunks WHERE chunks MATCH ? ORDER BY bm25(chunks) LIMIT ?", (terms, RESULTS)
    ).fetchall()


def time_each(queries: list[str], search: Callable[[str], object]) -> tuple[float, float]:
    """p50 and p95 in ms."""
    search(queries[0])
    times = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.95)]


def measure_pages() -> None:
    with tempfile.TemporaryDirectory() as folder:
        times = {}
        for pages in (1, 1 + PAGES):
            path = make_pdf(Path(folder) / f"{pages}.pdf", pages)
            started = time.perf_counter()
            extract_text(path, path.name)
            times[pages] = (time.perf_counter() - started) * 1000
    per_page = (times[1 + PAGES] - times[1]) / PAGES
    print(
        f"PDF: {per_page:.1f} ms a page (1.8 ms for the library alone), {times[1]:.0f} ms for one page with its process"
    )


def make_pdf(path: Path, pages: int) -> Path:
    document = FPDF()
    document.set_font("Helvetica", size=10)
    for page in range(pages):
        document.add_page()
        for line in range(45):
            document.cell(0, 5, f"Line {line} of page {page}: the ferry leaves at nine and costs 6.80.", new_y="NEXT")
            document.set_x(10)
    document.output(str(path))
    return path


if __name__ == "__main__":
    main()
