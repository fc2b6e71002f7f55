"""Makes docs/reliability.md: each fault of a list, what is held of it, and the tests that hold it.

A test holds a row where it is marked with it (`@pytest.mark.fault("N1")`), or has it at the beginning of its name
(`test_s6_...`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]

HEAD = """# What can go wrong, and what holds then

Made by `docs/make_reliability.py` out of the tests; don't edit it here. Each row is a fault that was provoked over
real sockets, real processes and a real disk, or in a [simulated world](../tests/support/simulated_play.py) where one
seed decides time, faults, order and kills. `make test` runs every test that is named; one that is renamed takes its
row along. The tests are in the program's repository, not in the package that pip installs.
"""

ROWS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Network and API": {
        "N1": (
            "429, with `Retry-After` in seconds, milliseconds or as a date, absent, or absurd",
            "waited for as told, up to the deadline, else ERRORED with the wait; how many turns go on at once adapts, "
            "and what was sent again is in the report",
        ),
        "N2": (
            "a quota that is used up, a request that is too large",
            "asked once; where the quota is used up, the rest is not started",
        ),
        "N3": (
            "500, 502, 503, 504, pages of HTML",
            "reads are tried again; a scenario is played again in a fresh thread, three times at most",
        ),
        "N4": (
            "a connection that breaks before, in or after the head; a wrong length; compressed bytes",
            "a read is tried again; a create is never sent twice without proof",
        ),
        "N5": ("an answer that drips in, or never ends", "a deadline by the clock, and a cap on bytes"),
        "N6": ("no such host, nothing listens, TLS that fails", "one line; TLS is never tried again or turned off"),
        "N7": ("401, 403", "found before any upload; the rest is not started"),
        "N8": ("a model, an assistant or a whole API that is not there any more", "named, with what to use instead"),
        "N9": ("409, 413, 422", "not repeated; a file is named with the limit"),
        "N10": ("200 with something that is not the API's answer", "an error that says so, never a verdict"),
        "N11": ("a list that does not end", "an error"),
        "N12": ("the clock is set", "deadlines are on the monotonic clock"),
        "N13": ("proxies, redirects, plain http with a key", "refused before anything is sent"),
    },
    "Runs and streams": {
        "S1": (
            "queued or at work for ever, a status never seen before",
            "cancelled at the deadline (of the queue: `queue_timeout`), ERRORED with the last status and the seconds",
        ),
        "S2": (
            "failed, expired, cancelled, incomplete",
            "each its own reason; only what passes is played again, in a fresh thread",
        ),
        "S3": ("a call of a function that isn't there, or goes wrong in any way", "every call gets an answer"),
        "S4": ("an answer to a call that comes too late, or twice", "told in the API's words, not given twice"),
        "S5": ("calls side by side, calls without end", "answered together; stopped after 16 responses"),
        "S6": (
            "a stream that is cut, in disorder, doubled, endless",
            "the same answer, or the response is read again, or an error; never half an answer",
        ),
        "S8": ("completed, and empty; no usage", "ERRORED; what isn't counted is not zero"),
        "S9": ("somebody else's message or response", "not taken for the answer"),
        "S10": ("a vector store that isn't ready, or lost a file", "ERRORED before the question is asked"),
        "S11": ("a container that expired", "replaced once, and that is shown"),
        "S12": (
            "an MCP server that is down, asks, or floods",
            "a step that did not complete; approval stands in the file",
        ),
    },
    "Process and disk": {
        "P1": ("Ctrl-C, once and twice", "runs cancelled, reports written, 130; at once, with a whole journal"),
        "P2": ("SIGTERM, SIGHUP, `| head`", "no traceback, the exit code stays"),
        "P3": (
            "kill -9 at any moment",
            "the next sync makes no duplicate; `--resume` asks again only what was under way (counted by a server)",
        ),
        "P4": ("a full or failing disk, a folder that can't be written", "results still shown, exit code not 0"),
        "P5": ("eight syncs, or three plays, at once on one state", "one object each, no mixed reports"),
        "P6": ("state that is gone, cut off, edited", "read as far as it is whole; tags decide, not files"),
        "P7": ("a function that prints, exits, changes folder, leaves threads", "it has a process of its own"),
        "P8": (
            "10,000 scenarios, long answers",
            "results are read from their file, one at a time; few open files; no answer above 64 MB is taken (N5)",
        ),
    },
    "What a model says, in what is written of it": {
        "X1": (
            "control sequences, bidi overrides, backspaces on the terminal",
            "shown as `\\x1b`, in names and errors too",
        ),
        "X2": ("elements, attributes, scripts in HTML", "text; the page runs its own script alone and loads nothing"),
        "X3": (
            "control characters, lone surrogates, `]]>` in XML and telemetry",
            "each JUnit case is read again before it is written; no span is lost",
        ),
        "X4": ("cells that begin a formula", "an apostrophe stands before them"),
        "X5": ("tables, fences, images, mentions in Markdown", "plain words, code blocks that can't be left"),
        "X6": ("commands of CI systems in their logs", "broken; those of runner end where they should"),
        "X7": ("NaN, lone surrogates in JSON", "null, escapes"),
        "X8": ("scenarios' names as files' names", "one part of a path, and no two the same"),
    },
    "Secrets": {
        "C1": (
            "a secret in answers, errors, definitions, in any encoding",
            "in no byte that is written, printed or sent to a collector",
        ),
    },
}

GAPS = """
## Known gaps

- A 5xx in place of the answer to a create that is stored (a conversation, a thread, a function-calling response) is
  played again in a fresh thread; the first object may exist all the same, and is named under "left behind" where the
  API can't be asked for it. A one-turn scenario without functions is not stored at all, so nothing of it can be left.
- `kill -9` loses what was under way: at most `--jobs` calls are paid for twice.
- A limit (`--max-cost`, `--max-tokens`) is checked after each turn: what is under way then comes to its end, so up to
  `--jobs` turns more are paid for. After `kill -9`, `--resume` doesn't know what was used since the last result, nor,
  on a dask cluster, any play what was used by runs that failed in passing and were played again.
- An answer that was cut off is asked again where it was not stored, which costs its tokens a second time.
- On a dask cluster, each worker has its share of `--jobs` and `--rate`, and adapts by itself; Ctrl-C waits up to 30 s
  for the workers to clean up, and a worker's functions run where it is. A local cluster listens on loopback without a
  password. On a cluster elsewhere, a play that was killed leaves its connections open in the workers until they end.
- A request that is too large for a rate limit ends its own scenario; it says nothing of the others, which are played.
- A file that was deleted while it is in a live store is noticed by `sync`; a play of the synced assistant asks all the
  same.
- Memory with 10,000 scenarios is measured by `benchmarks/`, not by a test.
- Linux is what is tested. On other systems a kept play isn't locked, so that two `--resume` at once are not noticed.
"""


def make() -> dict[str, str]:
    tests: dict[str, list[str]] = {}
    for row, name in _find_tests():
        tests.setdefault(row, []).append(name)
    lines = [HEAD]
    for part, rows in ROWS.items():
        lines += [f"## {part}", "", "| | Fault | What holds | Tests |", "|---|---|---|---|"]
        for row, (fault, holds) in rows.items():
            names = "<br>".join(sorted(set(tests.get(row, ())))) or "**none**"
            lines.append(f"| {row} | {fault} | {holds} | {names} |")
        lines.append("")
    return {"docs/reliability.md": "\n".join(lines).rstrip() + "\n" + GAPS}


def _find_tests() -> Iterator[tuple[str, str]]:
    known = {row for rows in ROWS.values() for row in rows}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if not re.search(r"\.fault\(|def test_[a-z]\d+_", text):
            continue  # most files, which needn't be parsed
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
                continue
            named = re.match(r"test_([a-z]\d+)_", node.name)
            rows = {named[1].upper()} & known if named else set()
            rows |= {row for one in node.decorator_list for row in _marked(one)}
            where = path.relative_to(ROOT).as_posix()
            words = re.sub(r"^test_([cnspx]\d+_)?", "", node.name).replace("_", " ")
            yield from ((row, f"[{words}](../{where})") for row in sorted(rows))


def _marked(decorator: ast.expr) -> Iterator[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
        yield from (one.value for one in decorator.args if isinstance(one, ast.Constant) and isinstance(one.value, str))
