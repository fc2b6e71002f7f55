"""Makes docs/terminal.md: a play of 50 scenarios in real terminals (tmux) of two sizes, its answers from a script.

Run by hand (`.venv/bin/python docs/capture_terminal.py`): it takes two minutes. The times that are shown are the
script's, not those that were measured, so that the page comes out the same each time.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).with_name("terminal.md")
SIZES = ((80, 24), (160, 50))
JOBS = 4
STEP_S = 1.0
"""Between the ends of two scenarios: enough to keep their order on a busy machine."""
SETTLING_S = 120.0
MIDWAY = 31

SUBJECTS = ("refund", "ticket", "luggage", "seat", "visa", "hotel", "ferry", "museum", "bicycle", "insurance")
MATTERS = ("deadline", "price", "office", "hours", "contact")

HEAD = """# What a play looks like

Made by `docs/capture_terminal.py`, which plays 50 scenarios in tmux; don't edit it here. Five fail, two can't be
evaluated, and one is skipped (it was declined, and `--allow-declines` was given).

- A scenario that passed is one line; `-v` shows its questions and answers.
- What did not pass is told when it happens, once more at the end where more than a screen of others
  came after it, and then by name. A name's place can be pasted behind `runner play`.
- The line at the bottom has what is done of how many, the counts, the time, and what is under way with its turn.
- Words wrap with their indent. Where the output is no terminal (a pipe, a file, most CI), lines are never wrapped, and
  there is no line at the bottom.
"""


@dataclass(frozen=True)
class Planned:
    """A scenario of the play: what is asked and answered, the text that is expected, and the move that ends it."""

    name: str
    questions: tuple[str, ...]
    answer: str
    expected: str
    move: dict[str, object] | None = None


def plan_scenarios() -> list[Planned]:
    return [plan_scenario(subject, matter) for matter in MATTERS for subject in SUBJECTS]


def plan_scenario(subject: str, matter: str) -> Planned:
    name = f"{subject} {matter}"
    questions = (f"What is the {matter} of the {subject}?",)
    answer = f"The {name} is in section {len(name)} of the guide."
    planned = Planned(name=name, questions=questions, answer=answer, expected=f"section {len(name)}")
    return special_scenarios().get(name, planned)


def special_scenarios() -> dict[str, Planned]:
    """Those that don't simply pass, and one with several turns."""
    failing = {
        "visa deadline": (
            "When must I apply for a visa, and what happens if I am late?",
            "Apply at least 15 working days before the journey. Applications that come later are still taken, but "
            "nobody can promise that they are decided in time, and the fee of 80 EUR isn't given back.",
            "45 days",
        ),
        "hotel price": (
            "We are 4 people and share a hotel bill of $312.40. How much should each of us pay?",
            "Each of you pays $78.01.",
            "$78.10",
        ),
        "luggage office": (
            "Where do I report a suitcase that didn't arrive?",
            "At the counter in hall B, next to belt 7.\n\nBring your ticket, the luggage tag, and a description:\n"
            "- colour and make\n- what is in it\n- an address where you can be reached during the next five days",
            "hall C",
        ),
        "museum hours": ("Is the museum open on Mondays?", "Yes, from 10:00 to 17:00.", "closed on Mondays"),
        "ferry contact": ("How do I reach the ferry company?", "Call 815 00 811.", "bookings@ferry.example"),
    }
    found = {
        name: Planned(name=name, questions=(question,), answer=answer, expected=expected)
        for name, (question, answer, expected) in failing.items()
    }
    found["seat price"] = Planned(
        name="seat price",
        questions=("What does a seat by the window cost?",),
        answer="",
        expected="12 EUR",
        move={"fail": {"code": "invalid_prompt", "message": "The model's context is full: 131,072 tokens."}},
    )
    found["insurance office"] = Planned(
        name="insurance office",
        questions=("Where is the office of the insurance?",),
        answer="",
        expected="Oslo",
        move={"incomplete": {"reason": "max_completion_tokens", "text": "The office is in"}},
    )
    found["bicycle contact"] = Planned(
        name="bicycle contact",
        questions=("Write a friendly message to the bicycle rental.",),
        answer="",
        expected="bicycle",
        move={"say": {"text": "No language model is connected.", "declined": True}},
    )
    found["ticket hours"] = Planned(
        name="ticket hours",
        questions=("Where can I buy a ticket?", "Until when is that counter open?", "And on Sundays?"),
        answer="The counter for tickets is open from 8:00 to 20:00, on Sundays from 10:00.",
        expected="counter",
    )
    return found


def waits_of(planned: list[Planned]) -> dict[str, float]:
    """Seconds for each scenario's last turn, so that one ends every STEP_S: the first of each job, then the others."""
    return {one.name: STEP_S * (min(number, JOBS - 1) + 1) for number, one in enumerate(planned)}


def write_project(folder: Path, planned: list[Planned]) -> None:
    project = {
        "version": 1,
        "namespace": "terminal-000001",
        "target": "script",
        "targets": {"script": {"api": "responses", "server": "embedded", "inference": {"scripted": "moves.yaml"}}},
        "assistants": {"desk": {"name": "Desk", "model": "gpt-6-luna", "instructions": "You answer at a travel desk."}},
    }
    scripts = []
    waits = waits_of(planned)
    for one in planned:
        move = one.move or {"say": one.answer}
        pause_s = waits[one.name] / len(one.questions)
        scripts += [{"question": {"contains": asked}, "moves": [{"wait": pause_s}, move]} for asked in one.questions]
    scenarios = [
        {
            "name": one.name,
            "assistant": "desk",
            "turns": [{"ask": asked, "expect": [{"contains": one.expected}]} for asked in one.questions],
        }
        for one in planned
    ]
    (folder / "scenarios").mkdir()
    # JSON is YAML.
    (folder / "assistants.yaml").write_text(json.dumps(project, indent=1), encoding="utf-8")
    (folder / "moves.yaml").write_text(json.dumps({"scripts": scripts}, indent=1), encoding="utf-8")
    (folder / "scenarios" / "desk.yaml").write_text(
        json.dumps({"scenarios": scenarios}, indent=1, ensure_ascii=False), encoding="utf-8"
    )


class Terminal:
    """A tmux of its own, in which one command is typed."""

    def __init__(self, folder: Path, columns: int, rows: int) -> None:
        self._tmux = ["tmux", "-L", f"runner-docs-{secrets.token_hex(4)}", "-f", "/dev/null"]
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PS1": "$ ", "TERM": "screen"}
        shell = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), "bash", "--norc"]
        size = ["-x", str(columns), "-y", str(rows)]
        self._run("new-session", "-d", "-c", str(folder), *size, *shell)
        self._run("set-option", "-g", "history-limit", "5000")

    def type(self, text: str) -> None:
        self._run("send-keys", text, "Enter")

    def screen(self, *, whole: bool = False) -> str:
        """What is to be seen, or all that was printed."""
        shown = self._run("capture-pane", "-p", *(["-S", "-"] if whole else []))
        return "\n".join(line.rstrip() for line in shown.splitlines()).rstrip()

    def wait_for(self, pattern: str) -> str:
        until = time.monotonic() + SETTLING_S
        while time.monotonic() < until:
            if re.search(pattern, shown := self.screen(), re.MULTILINE):
                return shown
            time.sleep(0.02)
        raise TimeoutError(f"{pattern} did not come about:\n{self.screen(whole=True)}")

    def close(self) -> None:
        self._run("kill-server")

    def _run(self, *arguments: str) -> str:
        return subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, check=True).stdout


def capture(folder: Path, planned: list[Planned], columns: int, rows: int) -> tuple[str, str, str]:
    """The screen midway and at the end, and all that was printed."""
    terminal = Terminal(folder, columns, rows)
    try:
        terminal.type(f"runner play -n {JOBS} --allow-declines")
        midway = terminal.wait_for(rf"^{MIDWAY}/{len(planned)} .* 3/3")
        terminal.wait_for(r"^\d+ failed, .* in .*\n\$$")
        return midway, terminal.screen(), terminal.screen(whole=True)
    finally:
        terminal.close()


def with_planned_times(text: str, planned: list[Planned]) -> str:
    waits = waits_of(planned)

    def time_of(match: re.Match[str]) -> str:
        return f"{match[1]}{waits[match[2]]:.2f} s"

    total_s = STEP_S * len(planned)
    text = re.sub(r"^([A-Z]+ +(.+?)  )\d+\.\d\d s", time_of, text, flags=re.MULTILINE)
    text = re.sub(r" in \d+\.\d\d s$", f" in {total_s:.2f} s", text, flags=re.MULTILINE)
    return re.sub(r" · \d:\d\d · ", f" · 0:{int(STEP_S * MIDWAY):02} · ", text)


def has_planned_order(text: str, planned: list[Planned]) -> bool:
    told = re.findall(r"^[A-Z]+ +(.+?)  \d+\.\d\d s", text.partition("Once more")[0], flags=re.MULTILINE)
    return told == [one.name for one in planned]


def main() -> None:
    planned = plan_scenarios()
    parts = [HEAD]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, planned)
        for columns, rows in SIZES:
            for _ in range(5):
                midway, ending, whole = capture(folder, planned, columns, rows)
                if has_planned_order(whole, planned):
                    break
            else:
                raise SystemExit("the machine is too busy: the scenarios did not end in their order")
            shown = [("midway", midway), ("at the end", ending)]
            if columns == min(SIZES)[0]:
                shown.append(("all of it", whole))
            for title, text in shown:
                parts.append(f"## {columns} columns, {rows} rows, {title}\n")
                parts.append(f"```\n{with_planned_times(text, planned)}\n```\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
