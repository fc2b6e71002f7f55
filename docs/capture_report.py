"""Makes the pictures in docs/images: a scripted play in the terminal and in its HTML report, by headless Chromium.

Run by hand (`.venv/bin/python docs/capture_report.py`) where Debian's package chromium is installed.
"""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import tempfile
import termios
from contextlib import suppress
from html import escape
from itertools import groupby
from pathlib import Path

import pyte
from PIL import Image

HERE = Path(__file__).parent
IMAGES = HERE / "images"
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "support")]

from capture_terminal import plan_scenarios  # noqa: E402 - the path to it is made above
from chromium import Page, open_chromium  # noqa: E402 - the same

TERMINAL_COLUMNS, TERMINAL_LINES = 100, 400
TERMINAL_COLORS = {
    "red": "#ff7b7b",
    "green": "#4cc38a",
    "brown": "#e0c04e",
    "yellow": "#e0c04e",
    "brightblack": "#8b95a5",
    "cyan": "#7eb0ff",
}
COLORS = 96
INSTRUCTIONS = """You answer at a travel desk.

- Say what the guide says, and name the section.
- Work out sums with code; give prices with two decimals.
- Where the guide says nothing, say so. Never guess.
"""
RECEIPT = "# Receipt\n\nBurger 23.75\nSoda 15.50\nFries 6.20\nTip is up to you.\n"
LUNCH = {
    "name": "lunch on the receipt",
    "description": "Prices as on the receipt; the total has to be worked out.",
    "assistant": "desk",
    "tags": ["receipts", "prices"],
    "golden": True,
    "turns": [
        {
            "ask": "I had the burger and the soda, how much should I pay?",
            "attach": [{"file": "receipt.md", "for": "file_search"}],
            "expect": [{"number": 39.25}, {"tool_called": "code_interpreter"}, {"contains": "burger"}],
        }
    ],
}
LUNCH_MOVES = [
    {"call": {"file_search": "burger soda price"}},
    {"call": {"code_interpreter": "prices = {'burger': 23.75, 'soda': 15.50}\nprint(round(sum(prices.values()), 2))"}},
    {"wait": 0.3},
    {"say": "You pay $39.52: the burger is $23.75, the soda $15.50【receipt.md】."},
]


def write_project(folder: Path) -> None:
    planned = plan_scenarios()
    scripts = [{"question": {"contains": "burger and the soda"}, "moves": LUNCH_MOVES}]
    scenarios: list[dict[str, object]] = [LUNCH]
    for number, one in enumerate(planned):
        subject, _, matter = one.name.partition(" ")
        # Times that look like a model's: most of them short, a few long.
        wait_s = round(0.05 + 0.9 * ((number * 37 % 50) / 50) ** 3, 3)
        scripts += [
            {"question": {"contains": asked}, "moves": [{"wait": wait_s}, one.move or {"say": one.answer}]}
            for asked in one.questions
        ]
        turns = [{"ask": asked, "expect": [{"contains": one.expected}]} for asked in one.questions]
        scenario = {"name": one.name, "assistant": "desk", "tags": [matter.replace(" ", "-")], "turns": turns}
        scenarios.append(scenario | ({"repeat": 3} if subject == "museum" else {}))
    target = {"api": "assistants", "server": "embedded", "inference": {"scripted": "moves.yaml"}}
    desk = {"name": "Desk", "model": "gpt-6-luna", "instructions": INSTRUCTIONS, "files": ["guide.md"]}
    project = {
        "version": 1,
        "namespace": "pictures-000001",
        "target": "script",
        "targets": {"script": target},
        "assistants": {"desk": {**desk, "tools": [{"file_search": {"max_num_results": 5}}, "code_interpreter"]}},
    }
    (folder / "scenarios").mkdir()
    (folder / "guide.md").write_text("# The guide\n\nSection 1: refunds.\n", encoding="utf-8")
    (folder / "scenarios" / "receipt.md").write_text(RECEIPT, encoding="utf-8")
    # JSON is YAML.
    for name, content in (
        ("assistants.yaml", project),
        ("moves.yaml", {"scripts": scripts}),
        ("scenarios/desk.yaml", {"scenarios": scenarios}),
    ):
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def play(folder: Path) -> pyte.Screen:
    """What the play left on a terminal that is as high as it takes."""
    command = [sys.executable, "-m", "runner", "play", "-q", "--allow-declines", "--report", "html"]
    environment = {**os.environ, "TERM": "xterm-256color", "GITHUB_ACTIONS": ""}
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (TERMINAL_LINES, TERMINAL_COLUMNS))
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = pyte.Screen(TERMINAL_COLUMNS, TERMINAL_LINES)
    stream = pyte.ByteStream(screen)
    # The other end is closed: an error of its own on a terminal.
    with suppress(OSError):
        while said := os.read(ours, 65_536):
            stream.feed(said)
    assert process.wait() == 1, "\n".join(screen.display)
    return screen


def draw_terminal(screen: pyte.Screen, path: Path) -> None:
    """The first lines and the last, as a page."""
    lines = [_colored(screen, row) for row in range(TERMINAL_LINES)]
    while not lines[-1].strip():
        lines.pop()
    shown = [*lines[:22], "  …", *lines[-17:]]
    text = "\n".join(["$ runner play -q --allow-declines --report html", *shown])
    style = "margin:0;padding:1rem;background:#12161d;color:#e4e8ef;font:14px/1.4 'DejaVu Sans Mono',monospace"
    page = f"<!doctype html><meta charset=utf-8><body style='margin:0'><pre style={escape(style)!r}>{text}</pre>"
    path.write_text(page, encoding="utf-8")


def _colored(screen: pyte.Screen, row: int) -> str:
    def styled(one: pyte.screens.Char) -> str:
        return f"color:{TERMINAL_COLORS.get(one.fg, 'inherit')};font-weight:{'bold' if one.bold else 'normal'}"

    line = [screen.buffer[row][column] for column in range(TERMINAL_COLUMNS)]
    runs = [("".join(one.data for one in same), style) for style, same in groupby(line, styled)]
    return (
        "".join(f"<span style='{style}'>{escape(text)}</span>" for text, style in runs)
        if screen.display[row].strip()
        else ""
    )


def take(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.picture())).convert("RGB").quantize(COLORS)
    IMAGES.mkdir(exist_ok=True)
    picture.save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png: {(IMAGES / f'{name}.png').stat().st_size // 1024} kB")


def main() -> None:
    with tempfile.TemporaryDirectory() as name, open_chromium() as page:
        folder = Path(name)
        write_project(folder)
        draw_terminal(play(folder), folder / "terminal.html")
        page.look(width=1200, height=940)
        page.open(folder / "report.html")
        take(page, "report-overview")
        page.open(folder / "report.html", fragment="#s1")
        page.evaluate("document.querySelectorAll('#s1 .step').forEach(one => { one.open = true })")
        page.evaluate("document.getElementById('s1').scrollIntoView()")
        take(page, "report-failure")
        page.open(folder / "report.html", fragment="#d1")
        take(page, "report-assistant")
        page.look(width=1200, height=940, dark=True)
        page.open(folder / "report.html")
        page.evaluate("document.querySelector('.tile.failed').click()")
        take(page, "report-dark")
        page.look(width=390, height=844)
        page.open(folder / "report.html", fragment="#s1")
        take(page, "report-narrow")
        page.look(width=900, height=820)
        page.open(folder / "terminal.html")
        take(page, "terminal")


if __name__ == "__main__":
    main()
