"""Judge labelled answers by the number check: `python benchmarks/labelled_answers.py ANSWERS.jsonl`.

Each line is `{number, answer, is_correct}`. For every way to take a number, and for two naive rules beside them, it
prints how many wrong answers pass and how many right ones fail; with `--show`, which. Exit code 1 if the default
rule, `take: final`, is wrong on one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from runner.checks.number import Check
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId

Rule = Callable[[str, str], bool]


def main() -> int:
    labelled = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    rules = {f"take: {take}": _by_check(take) for take in ("final", "only", "any", "all", "first")}
    rules |= {"the text contains it": _is_in_text, "the last line is it": _is_last_line}
    print(f"{len(labelled)} answers, {sum(row['is_correct'] for row in labelled)} of them right")
    print(f"{'rule':<22}{'false passes':>14}{'false fails':>14}{'ms an answer':>14}")
    return max(_count(name, rule, labelled) for name, rule in rules.items())


def _count(name: str, rule: Rule, labelled: list[dict[str, str]]) -> int:
    started = time.process_time()
    verdicts = [(row, rule(row["answer"], row["number"])) for row in labelled]
    each_ms = (time.process_time() - started) * 1000 / len(labelled)
    wrong = [(row, passed) for row, passed in verdicts if passed is not row["is_correct"]]
    false_passes = sum(passed for _, passed in wrong)
    print(f"{name:<22}{false_passes:>14}{len(wrong) - false_passes:>14}{each_ms:>14.2f}")
    if "--show" in sys.argv and name == "take: final":
        for row, passed in wrong:
            print(f"  {'passed' if passed else 'failed'} for {row['number']}: ...{row['answer'][-100:]!r}")
    return int(name == "take: final" and bool(wrong))


def _by_check(take: str) -> Rule:
    def passes(answer: str, number: str) -> bool:
        run = Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text=answer)
        return Check(value=Decimal(number), take=take).judge(run).holds

    return passes


def _is_in_text(answer: str, number: str) -> bool:
    return number in answer


def _is_last_line(answer: str, number: str) -> bool:
    return answer.strip().rpartition("\n")[2].removeprefix("A: ") == number


if __name__ == "__main__":
    sys.exit(main())
