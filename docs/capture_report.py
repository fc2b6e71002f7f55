"""Makes the pictures in docs/images: a scripted play in the terminal and in its HTML report, by headless Chromium.

Run by hand (`.venv/bin/python docs/capture_report.py`) where Debian's package chromium is installed.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
IMAGES = HERE / "images"
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "support")]

from capture_terminal import plan_scenarios  # noqa: E402 - the path to it is made above
from chromium import Page, open_chromium  # noqa: E402 - the same

TERMINAL_COLUMNS = 100
COLORS = 96
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
    desk = {"name": "Desk", "model": "gpt-6-luna", "instructions": "You answer at a travel desk."}
    project = {
        "version": 1,
        "namespace": "pictures-000001",
        "target": "script",
        "targets": {"script": target},
        "assistants": {"desk": {**desk, "tools": ["file_search", "code_interpreter"]}},
    }
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "receipt.md").write_text(RECEIPT, encoding="utf-8")
    # JSON is YAML.
    for name, content in (
        ("assistants.yaml", project),
        ("moves.yaml", {"scripts": scripts}),
        ("scenarios/desk.yaml", {"scenarios": scenarios}),
    ):
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def play(folder: Path) -> str:
    """What the play printed, with its colours."""
    command = [sys.executable, "-m", "runner", "play", "-q", "--allow-declines", "--report", "html"]
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(TERMINAL_COLUMNS), "GITHUB_ACTIONS": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def draw_terminal(printed: str, path: Path) -> None:
    """The first lines and the last, as a page."""
    from rich.console import Console
    from rich.terminal_theme import DIMMED_MONOKAI
    from rich.text import Text

    lines = printed.splitlines()
    shown = [*lines[:24], "  …", *lines[-16:]]
    console = Console(record=True, width=TERMINAL_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(["$ runner play -q --allow-declines --report html", *shown])))
    code = console.export_html(theme=DIMMED_MONOKAI, inline_styles=True, code_format="{code}")
    style = "margin:0;padding:1rem;background:#12161d;color:#e4e8ef;font:14px/1.4 'DejaVu Sans Mono',monospace"
    path.write_text(f"<!doctype html><meta charset=utf-8><pre style={escape(style)!r}>{code}</pre>", encoding="utf-8")


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
